{{/* Both services: what each is called, where its values are, and the port of its image. */}}
{{- define "zerotouch.services" -}}
- {name: assistant-api, values: assistantApi, port: 3001}
- {name: tool-sync, values: toolSync, port: 3002}
{{- end }}

{{- define "zerotouch.image" -}}
{{ .root.Values.image.registry }}zerotouch/{{ .name }}:{{ .root.Values.image.tag }}
{{- end }}

{{- define "zerotouch.labels" -}}
app.kubernetes.io/name: zerotouch
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .name }}
{{- end }}

{{- define "zerotouch.metadata" -}}
labels:
  {{- include "zerotouch.labels" . | nindent 2 }}
  app.kubernetes.io/version: {{ .root.Values.image.tag | quote }}
  app.kubernetes.io/managed-by: {{ .root.Release.Service }}
  helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{/* What every pod of ours is allowed: nothing but its work. */}}
{{- define "zerotouch.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "zerotouch.container" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{/* Variables: settings in clear, secrets by reference. */}}
{{- define "zerotouch.env" -}}
{{- range $name, $value := .settings }}
- {name: {{ $name }}, value: {{ kindIs "string" $value | ternary $value (toJson $value) | quote }}}
{{- end }}
{{- range $name, $from := .secrets }}
- {name: {{ $name }}, valueFrom: {secretKeyRef: {name: {{ $from.name }}, key: {{ $from.key }}}}}
{{- end }}
{{- end }}

{{/* Of a map, what is about Kafka. */}}
{{- define "zerotouch.kafka" -}}
{{- range $name, $value := . }}
{{- if hasPrefix "KAFKA_" $name }}
{{ $name }}: {{ toJson $value }}
{{- end }}
{{- end }}
{{- end }}
