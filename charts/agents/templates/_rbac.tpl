{{/* The rights of the controller: the verbs it uses and no more. */}}
{{- define "agents.rules" -}}
- apiGroups: ["agents.proompteng.ai"]
  resources: ["agents", "agentproviders", "implementationspecs", "memories"]
  verbs: ["get", "list", "watch"]
- apiGroups: ["agents.proompteng.ai"]
  resources: ["agentruns"]
  verbs: ["get", "list", "watch", "patch"]
- apiGroups: ["agents.proompteng.ai"]
  resources: ["agentruns/status"]
  verbs: ["patch"]
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
