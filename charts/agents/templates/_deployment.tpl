{{/*
The Deployment of one component. Both Deployments come from here, so that a run is treated the same
whichever container holds the controllers.
Argument: dict root, component ("controlPlane" or "controllers"), name (object), container (name).
*/}}
{{- define "agents.deployment" -}}
{{- $v := .root.Values -}}
{{- $image := include "agents.componentImage" . | fromJson -}}
{{- $labels := dict "root" .root "component" (kebabcase .component) -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "agents.metadata" (merge (dict "name" .name) $labels) | nindent 2 }}
spec:
  # One controller at a time: without leader election two of them would both start the same run.
  replicas: 1
  strategy:
    type: Recreate
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
              containerPort: 8080
              protocol: TCP
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
          {{- with $v.extraVolumeMounts }}
          volumeMounts:
            {{- toYaml . | nindent 12 }}
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
      {{- with $v.extraVolumes }}
      volumes:
        {{- toYaml . | nindent 8 }}
      {{- end }}
{{- end -}}
