{{/*
The environment of the controller containers. Every template takes the same argument:
dict root, component ("controlPlane" or "controllers").

Strength: env.vars > the component's env.vars > the rows of "agents.env.rows". A blank value counts
as unset at every level.
*/}}

{{/*
One value as a quoted string: integers as plain digits (a float would print as 2.592e+06), lists and
maps as JSON, nothing for an empty one. Zero and false are values like any other.
*/}}
{{- define "agents.env.text" -}}
{{- if has (typeOf .) (list "float64" "int" "int64" "json.Number") -}}
{{- printf "%.0f" (float64 .) | toJson -}}
{{- else if kindIs "bool" . -}}
{{- toString . | toJson -}}
{{- else if kindIs "string" . -}}
{{- toJson . -}}
{{- else -}}
{{- empty . | ternary "" (toJson .) | toJson -}}
{{- end -}}
{{- end -}}

{{/* A switch that only the container running the controllers carries as set. */}}
{{- define "agents.env.flag" -}}
{{- empty . | ternary "0" "1" | toJson -}}
{{- end -}}

{{/* The watched namespaces as comma-separated text; the release namespace when none is given. */}}
{{- define "agents.env.namespaces" -}}
{{- join "," .Values.controller.namespaces | default (include "agents.namespace" .) -}}
{{- end -}}

{{/* The account of runner pods: the named one, else the chart's own runner account. */}}
{{- define "agents.env.runnerAccount" -}}
{{- $made := and .Values.runnerServiceAccount.create .Values.runnerServiceAccount.setAsDefault -}}
{{- $own := empty $made | ternary "" (include "agents.runnerServiceAccountName" .) -}}
{{- .Values.controller.defaultWorkload.serviceAccountName | default $own -}}
{{- end -}}

{{/* One line per values key: the variable and its text. Blank texts are dropped afterwards. */}}
{{- define "agents.env.rows" -}}
{{- $v := .root.Values -}}
{{- $c := $v.controller -}}
{{- $policy := $c.admissionPolicy -}}
{{- $workload := $c.defaultWorkload -}}
{{- $auth := empty $c.authSecret.name | ternary dict $c.authSecret -}}
{{- $runs := eq .component (empty $v.controllers.enabled | ternary "controlPlane" "controllers") -}}
{{- $namespaces := include "agents.env.namespaces" .root -}}
{{- $runnerImage := $v.runtime.agentRunnerImage | default "" | trim | default (include "agents.image" $v.runner.image) -}}
JANGAR_AGENTS_CONTROLLER_ENABLED: {{ include "agents.env.flag" (and $runs $c.enabled) }}
JANGAR_AGENTS_CONTROLLER_NAMESPACES: {{ include "agents.env.text" (and $runs $c.enabled | empty | ternary "" $namespaces) }}
JANGAR_PRIMITIVES_NAMESPACES: {{ include "agents.env.text" $namespaces }}
JANGAR_AGENTS_CONTROLLER_JOB_MISSING_GRACE_SECONDS: {{ include "agents.env.text" $c.jobMissingGraceSeconds }}
JANGAR_AGENTS_CONTROLLER_LABELS_REQUIRED: {{ include "agents.env.text" $policy.labels.required }}
JANGAR_AGENTS_CONTROLLER_LABELS_ALLOWED: {{ include "agents.env.text" $policy.labels.allowed }}
JANGAR_AGENTS_CONTROLLER_LABELS_DENIED: {{ include "agents.env.text" $policy.labels.denied }}
JANGAR_AGENTS_CONTROLLER_IMAGES_ALLOWED: {{ include "agents.env.text" $policy.images.allowed }}
JANGAR_AGENTS_CONTROLLER_IMAGES_DENIED: {{ include "agents.env.text" $policy.images.denied }}
JANGAR_AGENTS_CONTROLLER_BLOCKED_SECRETS: {{ include "agents.env.text" $policy.secrets.blocked }}
JANGAR_AGENTS_CONTROLLER_AUTH_SECRET_NAME: {{ include "agents.env.text" $auth.name }}
JANGAR_AGENTS_CONTROLLER_AUTH_SECRET_KEY: {{ include "agents.env.text" $auth.key }}
JANGAR_AGENTS_CONTROLLER_AUTH_SECRET_MOUNT_PATH: {{ include "agents.env.text" $auth.mountPath }}
JANGAR_AGENT_RUNNER_JOB_TTL_SECONDS: {{ include "agents.env.text" $c.jobTtlSecondsAfterFinished }}
JANGAR_AGENT_RUNNER_LOG_RETENTION_SECONDS: {{ include "agents.env.text" $c.logRetentionSeconds }}
JANGAR_AGENT_RUNNER_SERVICE_ACCOUNT: {{ include "agents.env.text" (include "agents.env.runnerAccount" .root) }}
JANGAR_AGENT_RUNNER_NODE_SELECTOR: {{ include "agents.env.text" $workload.nodeSelector }}
JANGAR_AGENT_RUNNER_TOLERATIONS: {{ include "agents.env.text" $workload.tolerations }}
JANGAR_AGENT_RUNNER_TOPOLOGY_SPREAD_CONSTRAINTS: {{ include "agents.env.text" $workload.topologySpreadConstraints }}
JANGAR_AGENT_RUNNER_AFFINITY: {{ include "agents.env.text" $workload.affinity }}
JANGAR_AGENT_RUNNER_POD_SECURITY_CONTEXT: {{ include "agents.env.text" $workload.podSecurityContext }}
JANGAR_AGENT_RUNNER_IMAGE_PULL_SECRETS: {{ include "agents.env.text" $workload.imagePullSecrets }}
JANGAR_AGENT_RUNNER_PRIORITY_CLASS: {{ include "agents.env.text" $workload.priorityClassName }}
JANGAR_AGENT_RUNNER_SCHEDULER_NAME: {{ include "agents.env.text" $workload.schedulerName }}
JANGAR_AGENTRUN_ARTIFACTS_MAX: {{ include "agents.env.text" $c.agentRunArtifacts.max }}
JANGAR_AGENTRUN_ARTIFACTS_STRICT: {{ include "agents.env.text" $c.agentRunArtifacts.strict }}
JANGAR_AGENT_RUNNER_IMAGE: {{ include "agents.env.text" $runnerImage }}
JANGAR_AGENT_IMAGE: {{ include "agents.env.text" $v.runtime.agentImage }}
JANGAR_RBAC_CLUSTER_SCOPED: {{ include "agents.env.text" $v.rbac.clusterScoped }}
JANGAR_LOG_LEVEL: {{ include "agents.env.text" $v.logging.level }}
PORT: "8080"
{{- end -}}

{{/* The rows with the env.vars of both strengths over them, as JSON: name to text. */}}
{{- define "agents.env.vars" -}}
{{- $vars := dict -}}
{{- $rows := include "agents.env.rows" . | fromYaml -}}
{{- range $level := list $rows (get .root.Values .component).env.vars .root.Values.env.vars -}}
{{- range $name, $value := $level -}}
{{- if $value | default "" | trim -}}{{- $_ := set $vars $name $value -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $vars -}}
{{- end -}}

{{/* The container's env list. */}}
{{- define "agents.env" -}}
{{- $vars := include "agents.env.vars" . | fromJson -}}
{{- $env := .root.Values.env -}}
{{- if not (hasKey $vars "JANGAR_POD_NAMESPACE") }}
- name: JANGAR_POD_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
{{- end }}
{{- range $name, $value := $vars }}
- name: {{ quote $name }}
  value: {{ toJson $value }}
{{- end }}
{{- range $env.secrets }}
- name: {{ quote .name }}
  valueFrom:
    secretKeyRef:
      {{- dict "name" .secretName "key" .key "optional" (.optional | default false) | toYaml | nindent 6 }}
{{- end }}
{{- range $env.config }}
- name: {{ quote .name }}
  valueFrom:
    configMapKeyRef:
      {{- dict "name" .configMapName "key" .key "optional" (.optional | default false) | toYaml | nindent 6 }}
{{- end }}
{{- with $env.extra }}
{{ toYaml . }}
{{- end }}
{{- end -}}
