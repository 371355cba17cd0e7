{{/* The rights of the controller: the verbs it uses and no more. */}}
{{- define "agents.rules" -}}
- apiGroups: ["agents.proompteng.ai"]
  resources: ["agents", "agentproviders", "implementationspecs", "memories"]
  verbs: ["get", "list", "watch"]
- apiGroups: ["agents.proompteng.ai"]
  resources: ["agentruns"]
  verbs: ["get", "list", "watch", "patch", "delete"]
- apiGroups: ["agents.proompteng.ai"]
  resources: ["agents/status", "agentproviders/status", "implementationspecs/status"]
  verbs: ["patch"]
- apiGroups: ["agents.proompteng.ai"]
  resources: ["agentruns/status"]
  verbs: ["update"]
# API servers that enforce OwnerReferencesPermissionEnforcement check this for blockOwnerDeletion.
- apiGroups: ["agents.proompteng.ai"]
  resources: ["agentruns/finalizers"]
  verbs: ["update"]
- apiGroups: ["batch"]
  resources: ["jobs"]
  verbs: ["get", "list", "watch", "create", "patch", "delete"]
- apiGroups: [""]
  resources: ["configmaps"]
  verbs: ["get", "create", "patch"]
- apiGroups: [""]
  resources: ["secrets"]
  verbs: ["get"]
- apiGroups: ["events.k8s.io"]
  resources: ["events"]
  verbs: ["create", "patch"]
{{- with .Values.rbac.extraRules }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/*
The rights for the object that announces a restore, and for the Lease of a backup system. With a name they allow only lists and watches of
that one object.
*/}}
{{- define "agents.holdRules" -}}
- apiGroups: [""]
  resources: ["configmaps"]
  resourceNames: [{{ include "agents.env.effective" (dict "root" . "name" "JANGAR_AGENTS_CONTROLLER_RESTORE_HOLD_CONFIGMAP") | default "agents-restore-hold" | quote }}]
  verbs: ["get", "list", "watch"]
{{- with include "agents.env.effective" (dict "root" . "name" "JANGAR_AGENTS_CONTROLLER_BACKUP_HEARTBEAT_LEASE") }}
- apiGroups: ["coordination.k8s.io"]
  resources: ["leases"]
  resourceNames: [{{ quote . }}]
  verbs: ["get"]
{{- end }}
{{- end -}}

{{/* The rights for one Lease. A create cannot be bound to a name: its object has none yet when it is checked. */}}
{{- define "agents.leaseRules" -}}
- apiGroups: ["coordination.k8s.io"]
  resources: ["leases"]
  verbs: ["create"]
- apiGroups: ["coordination.k8s.io"]
  resources: ["leases"]
  resourceNames: [{{ include "agents.env.effective" (dict "root" . "name" "JANGAR_LEADER_ELECTION_LEASE_NAME") | quote }}]
  verbs: ["get", "patch"]
{{- end -}}
