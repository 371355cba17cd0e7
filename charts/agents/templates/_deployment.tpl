{{/*
The Deployment of one component. Both Deployments come from here, so that a run is treated the same
whichever container holds the controllers.
Argument: dict root, component ("controlPlane" or "controllers"), container (name).
*/}}
{{- define "agents.deployment" -}}
{{- $v := .root.Values -}}
{{- $image := include "agents.componentImage" . | fromJson -}}
{{- $labels := dict "root" .root "component" (kebabcase .component) -}}
{{- $vars := include "agents.env.vars" . | fromJson -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "agents.metadata" (merge (dict "name" (include "agents.componentName" .)) $labels) | nindent 2 }}
spec:
  {{- if not $v.autoscaling.enabled }}
  replicas: {{ include "agents.replicas" . }}
  {{- end }}
  strategy:
    {{- if include "agents.leaderElection" .root }}
    type: RollingUpdate
    rollingUpdate:
      maxSurge: 1
      maxUnavailable: 0
    {{- else }}
    # One controller at a time: without leader election two of them would both start the same run.
    type: Recreate
    # Said on purpose: otherwise what the API server filled in for RollingUpdate would stay and be refused.
    rollingUpdate: null
    {{- end }}
  selector:
    matchLabels:
      {{- include "agents.selectorLabels" $labels | nindent 6 }}
  template:
    metadata:
      # The version is left out: a new chart version alone does not restart the controller.
      labels:
        {{- include "agents.selectorLabels" $labels | nindent 8 }}
        {{- with $v.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- with $v.podAnnotations }}
      annotations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    spec:
      serviceAccountName: {{ include "agents.serviceAccountName" .root | quote }}
      terminationGracePeriodSeconds: 30
      {{- with $v.image.pullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $v.priorityClassName }}
      priorityClassName: {{ quote . }}
      {{- end }}
      {{- with $v.securityContext }}
      securityContext:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      containers:
        - name: {{ .container }}
          image: {{ include "agents.image" $image | quote }}
          imagePullPolicy: {{ $image.pullPolicy | default "IfNotPresent" }}
          command: ["/agents-controller"]
          args: ["run"]
          env:
            {{- include "agents.env" . | trim | nindent 12 }}
          ports:
            - name: http
              containerPort: {{ $vars.PORT }}
              protocol: TCP
            {{- if $v.grpc.enabled }}
            - name: grpc
              containerPort: {{ int64 $v.grpc.port }}
              protocol: TCP
            {{- end }}
          livenessProbe:
            httpGet:
              path: /livez
              port: http
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 3
          readinessProbe:
            httpGet:
              path: /readyz
              port: http
            periodSeconds: 5
            timeoutSeconds: 3
            failureThreshold: 2
          {{- with $v.resources }}
          resources:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- with $v.containerSecurityContext }}
          securityContext:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- with include "agents.volumeMounts" .root }}
          volumeMounts:
            {{- nindent 12 . }}
          {{- end }}
      {{- with $v.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $v.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $v.affinity }}
      affinity:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- $constraints := list }}
      {{- range $v.topologySpreadConstraints }}
      {{- $selector := dict "matchLabels" (include "agents.selectorLabels" $labels | fromYaml) }}
      {{- $constraints = append $constraints (hasKey . "labelSelector" | ternary . (merge (dict "labelSelector" $selector) .)) }}
      {{- end }}
      {{- with $constraints }}
      topologySpreadConstraints:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with include "agents.volumes" .root }}
      volumes:
        {{- nindent 8 . }}
      {{- end }}
{{- end -}}
