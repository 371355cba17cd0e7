{{/*
Names and labels of every object. Nothing here reads more than the release, the chart and the
override values.
*/}}

{{- define "agents.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The release name, followed by the chart name unless the release name contains it. */}}
{{- define "agents.fullname" -}}
{{- $name := include "agents.name" . -}}
{{- $default := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- .Values.fullnameOverride | default $default | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The namespace of every namespaced object: "the release namespace" of the documentation. */}}
{{- define "agents.namespace" -}}
{{- .Values.namespaceOverride | default .Release.Namespace -}}
{{- end -}}

{{/*
Cluster-scoped objects carry namespace and release in their name, so that releases do not meet.
Neither part can contain a colon, which keeps the pair unambiguous.
*/}}
{{- define "agents.clusterName" -}}
{{- printf "%s:%s:%s" .Chart.Name (include "agents.namespace" .) .Release.Name -}}
{{- end -}}

{{- define "agents.serviceAccountName" -}}
{{- $default := ternary (printf "%s-sa" (include "agents.fullname" .)) "default" (.Values.serviceAccount.create | default false) -}}
{{- .Values.serviceAccount.name | default $default -}}
{{- end -}}

{{- define "agents.runnerServiceAccountName" -}}
{{- .Values.runnerServiceAccount.name | default (printf "%s-runner" (include "agents.fullname" .)) -}}
{{- end -}}

{{/* The components that have a Deployment, as JSON. */}}
{{- define "agents.components" -}}
{{- empty .Values.controllers.enabled | ternary (list "controlPlane") (list "controlPlane" "controllers") | toJson -}}
{{- end -}}

{{/* Name of a component's Deployment and of what belongs to it alone. Argument: dict root, component. */}}
{{- define "agents.componentName" -}}
{{- printf "%s%s" (include "agents.fullname" .root) (eq .component "controllers" | ternary "-controllers" "") -}}
{{- end -}}

{{/* Replicas of a component's Deployment, unless they are scaled. Argument: dict root, component. */}}
{{- define "agents.replicas" -}}
{{- $own := eq .component "controllers" | ternary .root.Values.controllers.replicaCount .root.Values.replicaCount -}}
{{- $own | default 1 | int64 -}}
{{- end -}}

{{/* A number of pods as plain digits, or a percentage. Argument: dict value, default. */}}
{{- define "agents.count" -}}
{{- if kindIs "string" .value -}}
{{- quote .value -}}
{{- else if kindIs "invalid" .value -}}
{{- .default -}}
{{- else -}}
{{- int64 .value -}}
{{- end -}}
{{- end -}}

{{/* Whether the controllers elect a leader, whatever level of the environment says so; empty means no. */}}
{{- define "agents.leaderElection" -}}
{{- include "agents.env.isTrue" (include "agents.env.effective" (dict "root" . "name" "JANGAR_LEADER_ELECTION_ENABLED")) -}}
{{- end -}}

{{/* The Service and the Deployments' selectors. Argument: dict root, component (kebab case). */}}
{{- define "agents.selectorLabels" -}}
app.kubernetes.io/name: {{ include "agents.name" .root | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component | quote }}
{{- end -}}

{{/* Labels of every object. Argument: dict root, component (kebab case). */}}
{{- define "agents.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" | quote }}
{{ include "agents.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | replace "+" "_" | trunc 63 | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service | quote }}
{{- end -}}

{{/* metadata of a namespaced object. Argument: dict root, component, name, annotations (optional). */}}
{{- define "agents.metadata" -}}
name: {{ quote .name }}
namespace: {{ include "agents.namespace" .root | quote }}
labels:
  {{- include "agents.labels" . | nindent 2 }}
{{- with .annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
