{{/*
Image references. A blank part counts as unset; the rules about missing parts and digests stand in
_guards.tpl, so that they are reported together with all others.
*/}}

{{/*
repository:tag, repository:tag@digest or repository@digest; empty without a repository.
Argument: an image map (repository, tag, digest).
*/}}
{{- define "agents.image" -}}
{{- with .repository | default "" | trim -}}
{{- . -}}
{{- with $.tag | default "" | trim -}}:{{ . }}{{- end -}}
{{- with $.digest | default "" | trim -}}@{{ . }}{{- end -}}
{{- end -}}
{{- end -}}

{{/*
The image map of a component as JSON: its own parts over those of `image`.
Argument: dict root, component ("controlPlane" or "controllers").
*/}}
{{- define "agents.componentImage" -}}
{{- $own := (get .root.Values .component).image -}}
{{- $image := dict -}}
{{- range $part := list "repository" "tag" "digest" "pullPolicy" -}}
{{- $shared := get $.root.Values.image $part | default "" | trim -}}
{{- $_ := set $image $part (get $own $part | default "" | trim | default $shared) -}}
{{- end -}}
{{- toJson $image -}}
{{- end -}}
