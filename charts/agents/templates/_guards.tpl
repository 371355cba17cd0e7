{{/*
Rules across keys, which values.schema.json cannot express. Every guard prints one line per
violation; "agents.guards" reports them all at once. The schema's own rules are not repeated, save
those for namespaces, because a wrong namespace list widens what the controller may touch.
*/}}

{{/* Stops rendering when any rule is broken. */}}
{{- define "agents.guards" -}}
{{- $violations := list -}}
{{- range $guard := list "images" "namespaces" "environment" "accounts" -}}
{{- range $line := include (printf "agents.guards.%s" $guard) $ | splitList "\n" -}}
{{- with trim $line -}}{{- $violations = append $violations . -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- with uniq $violations -}}
{{- fail (printf "the values break %d rule(s):\n  - %s" (len .) (join "\n  - " .)) -}}
{{- end -}}
{{- end -}}

{{/* The components that have a Deployment, as JSON. */}}
{{- define "agents.components" -}}
{{- empty .Values.controllers.enabled | ternary (list "controlPlane") (list "controlPlane" "controllers") | toJson -}}
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
{{- if and (has $entry.name (list "JANGAR_AGENT_RUNNER_IMAGE" "JANGAR_AGENT_IMAGE")) (not (regexMatch $digest ($entry.value | default ""))) }}
imagePolicy.requireDigest: {{ $entry.name }} is {{ $entry.value | default "a reference" | quote }}, which shows no digest
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The list is well formed, and nothing beyond the release namespace is watched without rights there. */}}
{{- define "agents.guards.namespaces" -}}
{{- $namespaces := .Values.controller.namespaces | default list -}}
{{- $home := include "agents.namespace" . -}}
{{- range $namespaces }}
{{- if or (not (trim .)) (ne . (trim .)) }}
controller.namespaces: {{ quote . }} is blank or has white space around it
{{- end }}
{{- end }}
{{- if ne (len $namespaces) (len (uniq $namespaces)) }}
controller.namespaces: {{ join "," $namespaces | quote }} names a namespace twice
{{- end }}
{{- if and (has "*" $namespaces) (gt (len $namespaces) 1) }}
controller.namespaces: "*" means all namespaces and must stand alone
{{- end }}
{{- if not .Values.rbac.clusterScoped }}
{{- range $component := include "agents.components" . | fromJsonArray }}
{{- $vars := include "agents.env.vars" (dict "root" $ "component" $component) | fromJson }}
{{- range $name := list "JANGAR_AGENTS_CONTROLLER_NAMESPACES" "JANGAR_PRIMITIVES_NAMESPACES" }}
{{- if ne (get $vars $name | default $home) $home }}
controller.namespaces: {{ $name }} would be {{ get $vars $name | quote }}; anything but the release namespace {{ quote $home }} needs rbac.clusterScoped=true
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* env.secrets, env.config and env.extra have no place in the order of strength: each name is theirs alone. */}}
{{- define "agents.guards.environment" -}}
{{- range $component := include "agents.components" . | fromJsonArray }}
{{- $taken := include "agents.env.vars" (dict "root" $ "component" $component) | fromJson | keys }}
{{- $taken = append $taken "JANGAR_POD_NAMESPACE" }}
{{- range $source := list "secrets" "config" "extra" }}
{{- range $entry := get $.Values.env $source | default list }}
{{- if has $entry.name $taken }}
env.{{ $source }}: {{ $entry.name }} is already set; use env.vars to replace a variable of the chart
{{- end }}
{{- $taken = append $taken $entry.name }}
{{- end }}
{{- end }}
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
{{- if and $runner.rules (not $runner.create) (not $runner.name) }}
runnerServiceAccount.rules: needs runnerServiceAccount.create=true, or the name of an account
{{- end }}
{{- end -}}
