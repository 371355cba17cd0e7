{{/*
The environment of the controller containers. Every template takes the same argument, unless it says
otherwise: dict root, component ("controlPlane" or "controllers").

Strength: env.vars > the component's env.vars > the rows of "agents.env.rows" and the references of
"agents.env.references". A blank value counts as unset at every level.
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

{{/* Whether a text is one of the words that the program reads as true. Argument: the text. */}}
{{- define "agents.env.isTrue" -}}
{{- has (toString . | trim | lower) (list "1" "true" "yes" "y" "on") | ternary "true" "" -}}
{{- end -}}

{{/* The component whose container runs the controllers. Argument: the root. */}}
{{- define "agents.env.runningComponent" -}}
{{- empty .Values.controllers.enabled | ternary "controlPlane" "controllers" -}}
{{- end -}}

{{/*
Watched namespaces as comma-separated text; the release namespace when none is given.
Argument: dict root, namespaces (list).
*/}}
{{- define "agents.env.namespaces" -}}
{{- join "," .namespaces | default (include "agents.namespace" .root) -}}
{{- end -}}

{{/* The account of runner pods: the named one, else the chart's own runner account. Argument: the root. */}}
{{- define "agents.env.runnerAccount" -}}
{{- $made := and .Values.runnerServiceAccount.create .Values.runnerServiceAccount.setAsDefault -}}
{{- $own := empty $made | ternary "" (include "agents.runnerServiceAccountName" .) -}}
{{- .Values.controller.defaultWorkload.serviceAccountName | default $own -}}
{{- end -}}

{{/* Leader election as the values ask for it: on by itself where two controllers could meet. Argument: the root. */}}
{{- define "agents.env.leaderElection" -}}
{{- $enabled := .Values.controller.leaderElection.enabled -}}
{{- if kindIs "bool" $enabled -}}
{{- $enabled -}}
{{- else -}}
{{- or (.Values.autoscaling.enabled | default false) (gt (include "agents.replicas" (dict "root" . "component" (include "agents.env.runningComponent" .)) | int64) 1) -}}
{{- end -}}
{{- end -}}

{{/* One line per values key: the variable and its text. Blank texts are dropped afterwards. */}}
{{- define "agents.env.rows" -}}
{{- $v := .root.Values -}}
{{- $c := $v.controller -}}
{{- $policy := $c.admissionPolicy -}}
{{- $workload := $c.defaultWorkload -}}
{{- $auth := empty $c.authSecret.name | ternary dict $c.authSecret -}}
{{- $lease := $c.leaderElection -}}
{{- $backup := empty $c.backup.heartbeatLease | ternary dict $c.backup -}}
{{- $grpc := empty $v.grpc.enabled | ternary dict $v.grpc -}}
{{- $runs := eq .component (include "agents.env.runningComponent" .root) -}}
{{- $namespaces := include "agents.env.namespaces" (dict "root" .root "namespaces" $c.namespaces) -}}
{{- $runnerImage := $v.runtime.agentRunnerImage | default "" | trim | default (include "agents.image" $v.runner.image) -}}
JANGAR_AGENTS_CONTROLLER_ENABLED: {{ include "agents.env.flag" (and $runs $c.enabled) }}
JANGAR_AGENTS_CONTROLLER_NAMESPACES: {{ include "agents.env.text" (and $runs $c.enabled | empty | ternary "" $namespaces) }}
JANGAR_PRIMITIVES_NAMESPACES: {{ include "agents.env.text" $namespaces }}
{{- range $name, $other := dict "ORCHESTRATION" $v.orchestrationController "SUPPORTING" $v.supportingController }}
{{- $there := include "agents.env.namespaces" (dict "root" $.root "namespaces" $other.namespaces) }}
JANGAR_{{ $name }}_CONTROLLER_ENABLED: {{ include "agents.env.flag" (and $runs $other.enabled) }}
JANGAR_{{ $name }}_CONTROLLER_NAMESPACES: {{ include "agents.env.text" (and $runs $other.enabled | empty | ternary "" $there) }}
{{- end }}
JANGAR_LEADER_ELECTION_ENABLED: {{ include "agents.env.leaderElection" .root | quote }}
JANGAR_LEADER_ELECTION_LEASE_NAME: {{ include "agents.env.text" $lease.leaseName }}
JANGAR_LEADER_ELECTION_LEASE_NAMESPACE: {{ include "agents.env.text" $lease.leaseNamespace }}
JANGAR_LEADER_ELECTION_LEASE_DURATION_SECONDS: {{ include "agents.env.text" $lease.leaseDurationSeconds }}
JANGAR_LEADER_ELECTION_RENEW_DEADLINE_SECONDS: {{ include "agents.env.text" $lease.renewDeadlineSeconds }}
JANGAR_LEADER_ELECTION_RETRY_PERIOD_SECONDS: {{ include "agents.env.text" $lease.retryPeriodSeconds }}
JANGAR_AGENTS_CONTROLLER_CONCURRENCY_NAMESPACE: {{ include "agents.env.text" $c.concurrency.perNamespace }}
JANGAR_AGENTS_CONTROLLER_CONCURRENCY_AGENT: {{ include "agents.env.text" $c.concurrency.perAgent }}
JANGAR_AGENTS_CONTROLLER_CONCURRENCY_CLUSTER: {{ include "agents.env.text" $c.concurrency.cluster }}
JANGAR_AGENTS_CONTROLLER_REPO_CONCURRENCY_ENABLED: {{ include "agents.env.text" $c.repoConcurrency.enabled }}
JANGAR_AGENTS_CONTROLLER_REPO_CONCURRENCY_DEFAULT: {{ include "agents.env.text" $c.repoConcurrency.default }}
JANGAR_AGENTS_CONTROLLER_REPO_CONCURRENCY_OVERRIDES: {{ include "agents.env.text" $c.repoConcurrency.overrides }}
JANGAR_AGENTS_CONTROLLER_QUEUE_NAMESPACE: {{ include "agents.env.text" $c.queue.perNamespace }}
JANGAR_AGENTS_CONTROLLER_QUEUE_REPO: {{ include "agents.env.text" $c.queue.perRepo }}
JANGAR_AGENTS_CONTROLLER_QUEUE_CLUSTER: {{ include "agents.env.text" $c.queue.cluster }}
JANGAR_AGENTS_CONTROLLER_RATE_WINDOW_SECONDS: {{ include "agents.env.text" $c.rate.windowSeconds }}
JANGAR_AGENTS_CONTROLLER_RATE_NAMESPACE: {{ include "agents.env.text" $c.rate.perNamespace }}
JANGAR_AGENTS_CONTROLLER_RATE_REPO: {{ include "agents.env.text" $c.rate.perRepo }}
JANGAR_AGENTS_CONTROLLER_RATE_CLUSTER: {{ include "agents.env.text" $c.rate.cluster }}
JANGAR_AGENTS_CONTROLLER_AGENTRUN_RETENTION_SECONDS: {{ include "agents.env.text" $c.agentRunRetentionSeconds }}
JANGAR_AGENTS_CONTROLLER_AGENTRUN_RETENTION_MAX_DELETES_PER_NAMESPACE: {{ include "agents.env.text" $c.agentRunRetentionMaxDeletesPerNamespace }}
JANGAR_AGENTS_CONTROLLER_JOB_MISSING_GRACE_SECONDS: {{ include "agents.env.text" $c.jobMissingGraceSeconds }}
JANGAR_AGENTS_CONTROLLER_RESTORE_HOLD: {{ include "agents.env.text" $c.restoreHold.enabled }}
JANGAR_AGENTS_CONTROLLER_RESTORE_HOLD_CONFIGMAP: {{ include "agents.env.text" $c.restoreHold.configMapName }}
JANGAR_AGENTS_CONTROLLER_RESTORE_INFLIGHT_POLICY: {{ include "agents.env.text" $c.restoreHold.inflightPolicy }}
JANGAR_AGENTS_CONTROLLER_RETENTION_GRACE_AFTER_HOLD_SECONDS: {{ include "agents.env.text" $c.restoreHold.retentionGraceSeconds }}
JANGAR_AGENTS_CONTROLLER_BACKUP_HEARTBEAT_LEASE: {{ include "agents.env.text" $backup.heartbeatLease }}
JANGAR_AGENTS_CONTROLLER_BACKUP_RPO_SECONDS: {{ include "agents.env.text" $backup.rpoSeconds }}
JANGAR_AGENTS_CONTROLLER_BACKUP_DRILL_SECONDS: {{ include "agents.env.text" $backup.drillSeconds }}
JANGAR_AGENTS_CONTROLLER_LABELS_REQUIRED: {{ include "agents.env.text" $policy.labels.required }}
JANGAR_AGENTS_CONTROLLER_LABELS_ALLOWED: {{ include "agents.env.text" $policy.labels.allowed }}
JANGAR_AGENTS_CONTROLLER_LABELS_DENIED: {{ include "agents.env.text" $policy.labels.denied }}
JANGAR_AGENTS_CONTROLLER_IMAGES_ALLOWED: {{ include "agents.env.text" $policy.images.allowed }}
JANGAR_AGENTS_CONTROLLER_IMAGES_DENIED: {{ include "agents.env.text" $policy.images.denied }}
JANGAR_AGENTS_CONTROLLER_BLOCKED_SECRETS: {{ include "agents.env.text" $policy.secrets.blocked }}
JANGAR_AGENTS_CONTROLLER_AUTH_SECRET_NAME: {{ include "agents.env.text" $auth.name }}
JANGAR_AGENTS_CONTROLLER_AUTH_SECRET_KEY: {{ include "agents.env.text" $auth.key }}
JANGAR_AGENTS_CONTROLLER_AUTH_SECRET_MOUNT_PATH: {{ include "agents.env.text" $auth.mountPath }}
JANGAR_AGENTS_CONTROLLER_VCS_PROVIDERS_ENABLED: {{ include "agents.env.text" $c.vcsProviders.enabled }}
JANGAR_AGENTS_CONTROLLER_VCS_DEPRECATED_TOKEN_TYPES: {{ include "agents.env.text" $c.vcsProviders.deprecatedTokenTypes }}
JANGAR_AGENTS_CONTROLLER_VCS_PR_RATE_LIMITS: {{ include "agents.env.text" $c.vcsProviders.prRateLimits }}
JANGAR_AGENTS_CONTROLLER_WEBHOOK_QUEUE_SIZE: {{ include "agents.env.text" $c.webhook.queueSize }}
JANGAR_AGENTS_CONTROLLER_WEBHOOK_RETRY_BASE_DELAY_SECONDS: {{ include "agents.env.text" $c.webhook.retry.baseDelaySeconds }}
JANGAR_AGENTS_CONTROLLER_WEBHOOK_RETRY_MAX_DELAY_SECONDS: {{ include "agents.env.text" $c.webhook.retry.maxDelaySeconds }}
JANGAR_AGENTS_CONTROLLER_WEBHOOK_RETRY_MAX_ATTEMPTS: {{ include "agents.env.text" $c.webhook.retry.maxAttempts }}
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
JANGAR_SCHEDULE_RUNNER_IMAGE: {{ include "agents.env.text" $v.runtime.scheduleRunnerImage }}
JANGAR_SCHEDULE_SERVICE_ACCOUNT: {{ include "agents.env.text" $v.runtime.scheduleServiceAccount }}
JANGAR_GRPC_ENABLED: {{ include "agents.env.text" $v.grpc.enabled }}
JANGAR_GRPC_HOST: {{ include "agents.env.text" $grpc.host }}
JANGAR_GRPC_PORT: {{ include "agents.env.text" $grpc.port }}
JANGAR_PROMETHEUS_METRICS_ENABLED: {{ include "agents.env.text" $v.metrics.enabled }}
JANGAR_PROMETHEUS_METRICS_PATH: {{ include "agents.env.text" $v.metrics.path }}
DATABASE_URL: {{ include "agents.env.text" (empty $v.database.createSecret.enabled | ternary $v.database.url "") }}
PGSSLROOTCERT: {{ include "agents.env.text" (include "agents.database.caFile" .root) }}
JANGAR_RBAC_CLUSTER_SCOPED: {{ include "agents.env.text" $v.rbac.clusterScoped }}
JANGAR_LOG_LEVEL: {{ include "agents.env.text" $v.logging.level }}
PORT: "8080"
{{- end -}}

{{/*
The rows with the env.vars of both strengths over them, as JSON: name to text. Guards and objects ask
for them a dozen times per rendering, so the first answer is kept in the root.
*/}}
{{- define "agents.env.vars" -}}
{{- $kept := printf "agents.env.vars.%s" .component -}}
{{- if not (hasKey .root $kept) -}}
{{- $vars := dict -}}
{{- $rows := include "agents.env.rows" . | fromYaml -}}
{{- range $level := list $rows (get .root.Values .component).env.vars .root.Values.env.vars -}}
{{- range $name, $value := $level -}}
{{- if $value | default "" | trim -}}{{- $_ := set $vars $name $value -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- $_ := set .root $kept (toJson $vars) -}}
{{- end -}}
{{- get .root $kept -}}
{{- end -}}

{{/* What the chart takes from elsewhere unless a variable of that name is set, as JSON: name to valueFrom. */}}
{{- define "agents.env.references" -}}
{{- $references := dict "JANGAR_POD_NAMESPACE" (dict "fieldRef" (dict "fieldPath" "metadata.namespace")) -}}
{{- with include "agents.database.urlSecret" .root | fromJson -}}
{{- $_ := set $references "DATABASE_URL" (dict "secretKeyRef" .) -}}
{{- end -}}
{{- range $name, $_ := include "agents.env.vars" . | fromJson -}}
{{- $_ := unset $references $name -}}
{{- end -}}
{{- toJson $references -}}
{{- end -}}

{{/* The container's env list. */}}
{{- define "agents.env" -}}
{{- $env := .root.Values.env -}}
{{- range $name, $from := include "agents.env.references" . | fromJson }}
- name: {{ quote $name }}
  valueFrom:
    {{- toYaml $from | nindent 4 }}
{{- end }}
{{- range $name, $value := include "agents.env.vars" . | fromJson }}
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

{{/*
What the container that runs the controllers really gets for one variable, as text. Objects that have
to agree with the environment follow it, whichever level set it. Argument: dict root, name.
*/}}
{{- define "agents.env.effective" -}}
{{- get (include "agents.env.vars" (dict "root" .root "component" (include "agents.env.runningComponent" .root)) | fromJson) .name -}}
{{- end -}}
