{{/*
Rules across keys, which values.schema.json cannot express. Every guard prints one line per
violation; "agents.guards" reports them all at once. The schema's own rules are not repeated, save
those for namespaces, because a wrong namespace list widens what the controller may touch.
*/}}

{{/* Stops rendering when any rule is broken. */}}
{{- define "agents.guards" -}}
{{- $violations := list -}}
{{- range $guard := list "images" "namespaces" "environment" "accounts" "leaderElection" "scaling" "services" "database" -}}
{{- range $line := include (printf "agents.guards.%s" $guard) $ | splitList "\n" -}}
{{- with trim $line -}}{{- $violations = append $violations . -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- with uniq $violations -}}
{{- fail (printf "the values break %d rule(s):\n  - %s" (len .) (join "\n  - " .)) -}}
{{- end -}}
{{- end -}}

{{/* Every image is complete, and carries a digest when imagePolicy.requireDigest asks for it. */}}
{{- define "agents.guards.images" -}}
{{- $digest := "@sha256:[a-f0-9]{64}$" -}}
{{- $strict := .Values.imagePolicy.requireDigest | default false -}}
{{- $runner := include "agents.image" .Values.runner.image -}}
{{- if and $runner (eq $runner (trim .Values.runner.image.repository)) }}
runner.image: {{ $runner | quote }} needs a tag or a digest
{{- end }}
{{- range $component := include "agents.components" . | fromJsonArray }}
{{- $image := include "agents.componentImage" (dict "root" $ "component" $component) | fromJson }}
{{- $reference := include "agents.image" $image }}
{{- if not $reference }}
image: no repository for the Deployment of {{ $component }}
{{- else if eq $reference $image.repository }}
image: {{ $reference | quote }}, for the Deployment of {{ $component }}, needs a tag or a digest
{{- else if and $strict (not (regexMatch $digest $reference)) }}
imagePolicy.requireDigest: {{ $reference | quote }}, for the Deployment of {{ $component }}, has no digest
{{- end }}
{{- if $strict }}
{{- range $entry := include "agents.env" (dict "root" $ "component" $component) | fromYamlArray }}
{{- if and (has $entry.name (list "JANGAR_AGENT_RUNNER_IMAGE" "JANGAR_AGENT_IMAGE" "JANGAR_SCHEDULE_RUNNER_IMAGE")) (not (regexMatch $digest ($entry.value | default ""))) }}
imagePolicy.requireDigest: {{ $entry.name }} is {{ $entry.value | default "a reference" | quote }}, which shows no digest
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The lists are well formed, and nothing beyond the release namespace is watched without rights there. */}}
{{- define "agents.guards.namespaces" -}}
{{- $home := include "agents.namespace" . -}}
{{- range $key := list "controller" "orchestrationController" "supportingController" }}
{{- $namespaces := (get $.Values $key).namespaces | default list }}
{{- range $namespaces }}
{{- if or (not (trim .)) (ne . (trim .)) }}
{{ $key }}.namespaces: {{ quote . }} is blank or has white space around it
{{- end }}
{{- end }}
{{- if ne (len $namespaces) (len (uniq $namespaces)) }}
{{ $key }}.namespaces: {{ join "," $namespaces | quote }} names a namespace twice
{{- end }}
{{- if and (has "*" $namespaces) (gt (len $namespaces) 1) }}
{{ $key }}.namespaces: "*" means all namespaces and must stand alone
{{- end }}
{{- if and (not $.Values.rbac.clusterScoped) (ne (join "," $namespaces | default $home) $home) }}
{{ $key }}.namespaces: {{ join "," $namespaces | quote }} is more than the release namespace {{ quote $home }} and needs rbac.clusterScoped=true
{{- end }}
{{- end }}
{{- if not .Values.rbac.clusterScoped }}
{{- range $component := include "agents.components" . | fromJsonArray }}
{{- $level := (get $.Values $component).env.vars | default dict }}
{{- range $name := list "JANGAR_AGENTS_CONTROLLER_NAMESPACES" "JANGAR_PRIMITIVES_NAMESPACES" "JANGAR_ORCHESTRATION_CONTROLLER_NAMESPACES" "JANGAR_SUPPORTING_CONTROLLER_NAMESPACES" }}
{{- $value := get ($.Values.env.vars | default dict) $name | default (get $level $name) | default "" | trim }}
{{- if ne ($value | default $home) $home }}
env.vars: {{ $name }} is {{ quote $value }}; anything but the release namespace {{ quote $home }} needs rbac.clusterScoped=true
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/*
env.secrets, env.config and env.extra have no place in the order of strength: each name is theirs alone. What
objects of the chart follow can be set by env.vars only, also where the chart renders no row: nobody could tell
from a reference what the container will get, and rights would be given for something else.
*/}}
{{- define "agents.guards.environment" -}}
{{- $followed := list "JANGAR_LEADER_ELECTION_ENABLED" "JANGAR_LEADER_ELECTION_LEASE_NAME" "JANGAR_LEADER_ELECTION_LEASE_NAMESPACE" "JANGAR_LEADER_ELECTION_LEASE_DURATION_SECONDS" "JANGAR_LEADER_ELECTION_RENEW_DEADLINE_SECONDS" "JANGAR_LEADER_ELECTION_RETRY_PERIOD_SECONDS" "JANGAR_AGENTS_CONTROLLER_RESTORE_HOLD_CONFIGMAP" "JANGAR_AGENTS_CONTROLLER_BACKUP_HEARTBEAT_LEASE" "JANGAR_AGENT_RUNNER_SERVICE_ACCOUNT" "JANGAR_PROMETHEUS_METRICS_PATH" "JANGAR_AGENTS_CONTROLLER_ENABLED" "JANGAR_AGENTS_CONTROLLER_NAMESPACES" "JANGAR_PRIMITIVES_NAMESPACES" "JANGAR_ORCHESTRATION_CONTROLLER_NAMESPACES" "JANGAR_SUPPORTING_CONTROLLER_NAMESPACES" }}
{{- range $component := include "agents.components" . | fromJsonArray }}
{{- $container := dict "root" $ "component" $component }}
{{- $taken := concat (include "agents.env.vars" $container | fromJson | keys) (include "agents.env.references" $container | fromJson | keys) }}
{{- range $source := list "secrets" "config" "extra" }}
{{- range $entry := get $.Values.env $source | default list }}
{{- if has $entry.name $taken }}
env.{{ $source }}: {{ $entry.name }} is already set; use env.vars to replace a variable of the chart
{{- else if has $entry.name $followed }}
env.{{ $source }}: {{ $entry.name }} decides about objects of the chart, which would not follow; use the key of the values or env.vars
{{- end }}
{{- $taken = append $taken $entry.name }}
{{- end }}
{{- end }}
{{- $port := get (include "agents.env.vars" $container | fromJson) "PORT" }}
{{- if or (not (regexMatch "^[1-9][0-9]{0,4}$" $port)) (gt (int64 $port) 65535) }}
env.vars: PORT is {{ quote $port }}, which is no port number
{{- end }}
{{- end }}
{{- end -}}

{{/* Two controllers never work at once, and a leader gives up before another one may begin. */}}
{{- define "agents.guards.leaderElection" -}}
{{- $component := include "agents.env.runningComponent" . -}}
{{- $replicas := include "agents.replicas" (dict "root" . "component" $component) | int64 -}}
{{- if not (include "agents.leaderElection" .) }}
{{- if .Values.autoscaling.enabled }}
controller.leaderElection.enabled: must not be off with autoscaling.enabled=true; two controllers would start the same run
{{- else if gt $replicas 1 }}
controller.leaderElection.enabled: must not be off with {{ $replicas }} replicas; two controllers would start the same run
{{- end }}
{{- end }}
{{- if .Values.controllers.enabled }}
{{- $there := get (include "agents.env.vars" (dict "root" $ "component" "controlPlane") | fromJson) "JANGAR_AGENTS_CONTROLLER_ENABLED" }}
{{- if include "agents.env.isTrue" $there }}
env.vars: JANGAR_AGENTS_CONTROLLER_ENABLED is {{ quote $there }} for the Deployment of controlPlane too, although controllers.enabled is true; two controllers would start the same run
{{- end }}
{{- end }}
{{- $times := dict -}}
{{- range $key, $name := dict "leaseDurationSeconds" "LEASE_DURATION" "renewDeadlineSeconds" "RENEW_DEADLINE" "retryPeriodSeconds" "RETRY_PERIOD" -}}
{{- $_ := set $times $key (include "agents.env.effective" (dict "root" $ "name" (printf "JANGAR_LEADER_ELECTION_%s_SECONDS" $name)) | int64) -}}
{{- end -}}
{{- if not (and (lt $times.retryPeriodSeconds $times.renewDeadlineSeconds) (lt $times.renewDeadlineSeconds $times.leaseDurationSeconds)) }}
controller.leaderElection: needs retryPeriodSeconds < renewDeadlineSeconds < leaseDurationSeconds, but has {{ $times.retryPeriodSeconds }}, {{ $times.renewDeadlineSeconds }} and {{ $times.leaseDurationSeconds }}
{{- end }}
{{- if gt $times.leaseDurationSeconds 2147483647 }}
controller.leaderElection.leaseDurationSeconds: {{ $times.leaseDurationSeconds }} is more than a Lease can hold, which is 2147483647
{{- end }}
{{- end -}}

{{/* What scales or protects the Deployments can be made. */}}
{{- define "agents.guards.scaling" -}}
{{- $scaling := .Values.autoscaling -}}
{{- if $scaling.enabled }}
{{- if gt ($scaling.minReplicas | default 1 | int64) ($scaling.maxReplicas | default 1 | int64) }}
autoscaling.minReplicas: {{ int64 $scaling.minReplicas }} is more than autoscaling.maxReplicas
{{- end }}
{{- if not (or $scaling.targetCPUUtilizationPercentage $scaling.targetMemoryUtilizationPercentage) }}
autoscaling: needs targetCPUUtilizationPercentage or targetMemoryUtilizationPercentage
{{- end }}
{{- end }}
{{- $budget := .Values.podDisruptionBudget -}}
{{- if not (or (kindIs "invalid" $budget.minAvailable) (kindIs "invalid" $budget.maxUnavailable)) }}
podDisruptionBudget: takes minAvailable or maxUnavailable, not both
{{- end }}
{{- end -}}

{{/* Services lead to ports that are served. */}}
{{- define "agents.guards.services" -}}
{{- $grpc := .Values.grpc -}}
{{- range $component := include "agents.components" . | fromJsonArray }}
{{- range $entry := include "agents.env" (dict "root" $ "component" $component) | fromYamlArray }}
{{- if and (eq $entry.name "JANGAR_GRPC_ENABLED") (not $grpc.enabled) (include "agents.env.isTrue" ($entry.value | default "")) }}
grpc.enabled: is false, but {{ $entry.name }} is {{ quote $entry.value }}
{{- end }}
{{- if and (eq $entry.name "JANGAR_GRPC_PORT") (ne ($entry.value | default "" | trim) (int64 $grpc.port | toString)) }}
grpc.port: is {{ int64 $grpc.port }}, but {{ $entry.name }} is {{ $entry.value | default "a reference" | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- $metrics := .Values.metrics -}}
{{- $fullname := include "agents.fullname" . -}}
{{- if not (regexMatch "^[a-z][-a-z0-9]*$" $fullname) }}
fullnameOverride: the Service {{ quote $fullname }} would have no valid name; set one that begins with a letter and holds letters, digits and hyphens only
{{- end }}
{{- $services := list $fullname -}}
{{- if .Values.grpc.enabled -}}{{- $services = append $services (printf "%s-grpc" $fullname) -}}{{- end -}}
{{- if and $metrics.enabled $metrics.service.enabled -}}
{{- range $component := include "agents.components" . | fromJsonArray -}}
{{- $services = append $services (printf "%s-metrics" (include "agents.componentName" (dict "root" $ "component" $component))) -}}
{{- end -}}
{{- end -}}
{{- range $name := $services }}
{{- if gt (len $name) 63 }}
fullnameOverride: the Service {{ quote $name }} would have {{ len $name }} characters, 63 are allowed; set a shorter one
{{- end }}
{{- end }}
{{- $served := include "agents.env.effective" (dict "root" . "name" "JANGAR_PROMETHEUS_METRICS_ENABLED") -}}
{{- if $metrics.serviceMonitor.enabled }}
{{- if not (and $metrics.enabled $metrics.service.enabled) }}
metrics.serviceMonitor.enabled: needs metrics.enabled and metrics.service.enabled, it would find no Service
{{- else if not (include "agents.env.isTrue" $served) }}
metrics.serviceMonitor.enabled: needs metrics, but JANGAR_PROMETHEUS_METRICS_ENABLED is {{ quote $served }}
{{- end }}
{{- end }}
{{- end -}}

{{/* A Secret of the chart has something to hold. */}}
{{- define "agents.guards.database" -}}
{{- $database := .Values.database -}}
{{- if and $database.createSecret.enabled (not ($database.url | default "" | trim)) }}
database.createSecret.enabled: needs database.url
{{- end }}
{{- end -}}

{{/* The controller's rights never reach the pods of runs. */}}
{{- define "agents.guards.accounts" -}}
{{- $account := include "agents.serviceAccountName" . -}}
{{- $runner := .Values.runnerServiceAccount -}}
{{- if and .Values.rbac.create (eq $account "default") }}
serviceAccount.name: the rights of the controller would go to the account "default", which runner pods use; name another account
{{- end }}
{{- if and $runner.create (eq $account (include "agents.runnerServiceAccountName" .)) }}
runnerServiceAccount.name: {{ quote $account }} is the controller's own account
{{- end }}
{{- if eq $account (include "agents.env.effective" (dict "root" . "name" "JANGAR_AGENT_RUNNER_SERVICE_ACCOUNT") | trim) }}
controller.defaultWorkload.serviceAccountName: {{ quote $account }} is the controller's own account
{{- end }}
{{- $fullname := include "agents.fullname" . -}}
{{- if and $runner.rules (has (include "agents.runnerServiceAccountName" .) (list $fullname (printf "%s-restore-hold" $fullname) (printf "%s-leader" $fullname))) }}
runnerServiceAccount.name: {{ include "agents.runnerServiceAccountName" . | quote }} is the name of a Role of the controller
{{- end }}
{{- if and $runner.rules (not $runner.create) (not $runner.name) }}
runnerServiceAccount.rules: needs runnerServiceAccount.create=true, or the name of an account
{{- end }}
{{- end -}}
