{{- define "name" -}}
gardener-extension-provider-packet
{{- end -}}

{{- define "labels" -}}
app.kubernetes.io/name: {{ include "name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "image" -}}
{{- if kindIs "string" .Values.image -}}
{{ .Values.image }}
{{- else if hasPrefix "sha256:" (toString .Values.image.tag) -}}
{{ .Values.image.repository }}@{{ .Values.image.tag }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag }}
{{- end -}}
{{- end -}}

{{- define "pullPolicy" -}}
{{- if kindIs "string" .Values.image }}IfNotPresent{{ else }}{{ .Values.image.pullPolicy }}{{ end -}}
{{- end -}}

{{- /* In a self-hosted shoot that is being made, the pod is on its host's network and may have these ports only. */ -}}
{{- define "metricsPort" -}}
{{- if .Values.usablePorts }}{{ index .Values.usablePorts 0 | int64 }}{{ else }}{{ .Values.metricsPort | int64 }}{{ end -}}
{{- end -}}

{{- define "healthPort" -}}
{{- if .Values.usablePorts }}{{ index .Values.usablePorts 1 | int64 }}{{ else }}{{ .Values.healthPort | int64 }}{{ end -}}
{{- end -}}

{{- define "isSeed" -}}
{{- if .Values.gardener.seed }}true{{ end -}}
{{- end -}}

{{- /* One quoted flag a line. Numbers that come from JSON are floats here. */ -}}
{{- define "flags" -}}
- {{ printf "--config-file=/etc/%s/config/config.yaml" (include "name" .) | quote }}
- {{ printf "--workers=%d" (.Values.workers | default .Values.controllers.infrastructure.concurrentSyncs | int64) | quote }}
- {{ printf "--ignore-operation-annotation=%v" .Values.controllers.ignoreOperationAnnotation | quote }}
- {{ printf "--heartbeat-namespace=%s" .Release.Namespace | quote }}
- {{ printf "--heartbeat-renew-interval-seconds=%d" (int64 .Values.controllers.heartbeat.renewIntervalSeconds) | quote }}
- {{ printf "--disable-controllers=%s" (join "," .Values.disableControllers) | quote }}
- {{ printf "--gardener-version=%s" (toString .Values.gardener.version) | quote }}
{{- if .Values.gardener.selfHostedShootCluster }}
- "--self-hosted-shoot-cluster=true"
{{- end }}
- {{ printf "--metrics-bind-address=%s" (include "bind" (include "metricsPort" .)) | quote }}
- {{ printf "--health-bind-address=%s" (include "bind" (include "healthPort" .)) | quote }}
- {{ printf "--log-level=%s" .Values.logLevel | quote }}
- {{ printf "--log-format=%s" .Values.logFormat | quote }}
{{- range $name, $value := .Values.flags }}
- {{ printf "--%s=%v" $name (kindIs "float64" $value | ternary (int64 $value) $value) | quote }}
{{- end }}
{{- end -}}

{{- define "bind" -}}
{{ if eq . "0" }}0{{ else }}:{{ . }}{{ end }}
{{- end -}}
