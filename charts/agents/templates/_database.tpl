{{/*
Where the connection URL of the database and its certificate authority come from. A URL in the values
is stronger than a Secret; with createSecret it travels through a Secret of the chart.
*/}}

{{/* Name of the chart's own Secret. */}}
{{- define "agents.database.ownSecret" -}}
{{- .Values.database.createSecret.name | default (printf "%s-database" (include "agents.fullname" .)) -}}
{{- end -}}

{{/* Name and key of the Secret with the URL as JSON; an empty map when there is none. */}}
{{- define "agents.database.urlSecret" -}}
{{- $database := .Values.database -}}
{{- if $database.createSecret.enabled -}}
{{- dict "name" (include "agents.database.ownSecret" .) "key" "url" | toJson -}}
{{- else if and $database.secretRef.name (not ($database.url | default "" | trim)) -}}
{{- dict "name" $database.secretRef.name "key" $database.secretRef.key | toJson -}}
{{- else -}}
{}
{{- end -}}
{{- end -}}

{{/* Path of the certificate authority's file in the container; empty without one. */}}
{{- define "agents.database.caFile" -}}
{{- with .Values.database.caSecret -}}
{{- if .name -}}/etc/agents/database/{{ .key }}{{- end -}}
{{- end -}}
{{- end -}}

{{/* The volumes of a pod: the certificate authority and those of the values, as a YAML list. */}}
{{- define "agents.volumes" -}}
{{- $volumes := list -}}
{{- with .Values.database.caSecret -}}
{{- if .name -}}
{{- $item := dict "key" .key "path" .key -}}
{{- $volumes = append $volumes (dict "name" "database-ca" "secret" (dict "secretName" .name "items" (list $item))) -}}
{{- end -}}
{{- end -}}
{{- with concat $volumes (.Values.extraVolumes | default list) -}}
{{- toYaml . -}}
{{- end -}}
{{- end -}}

{{/* The volume mounts of the container, as a YAML list. */}}
{{- define "agents.volumeMounts" -}}
{{- $mounts := list -}}
{{- if .Values.database.caSecret.name -}}
{{- $mounts = append $mounts (dict "name" "database-ca" "mountPath" "/etc/agents/database" "readOnly" true) -}}
{{- end -}}
{{- with concat $mounts (.Values.extraVolumeMounts | default list) -}}
{{- toYaml . -}}
{{- end -}}
{{- end -}}
