{{- /* What both commands are told. */ -}}
{{- define "favn-feature-loader.arguments" -}}
{{- $loader := index .Values "favn-feature-loader" -}}
- {{ printf "--root=%s" (include "favn-feature-loader.root" .) | quote }}
- --trust-keys=/etc/favn/trust/trust.json
{{- with $loader.remoteIndex }}
- {{ printf "--remote-index=%s" . | quote }}
{{- end }}
{{- with $loader.kubernetes }}
{{- if .enabled }}
- --kubernetes
- {{ printf "--selector=%s" .selector | quote }}
{{- range .namespaces }}
- {{ printf "--namespace=%s" . | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- if $loader.mountedRegistrations }}
- --registrations=/etc/favn/registrations
{{- end }}
{{- range $id, $url := $loader.features }}
{{- with $url }}
- {{ printf "--feature=%s=%s" $id . | quote }}
{{- end }}
{{- end }}
{{- range $id, $number := $loader.minSequences }}
{{- with $number }}
- {{ printf "--min-sequence=%s=%d" $id (int64 .) | quote }}
{{- end }}
{{- end }}
- --timeout={{ int64 $loader.timeout }}
- --grace={{ int64 $loader.grace }}
{{- if $loader.allowHttp }}
- --allow-http
{{- end }}
{{- if $loader.allowExpired }}
- --allow-expired
{{- end }}
{{- end -}}

{{- /* What `watch` is told besides. */ -}}
{{- define "favn-feature-loader.watchArguments" -}}
{{- $loader := index .Values "favn-feature-loader" -}}
- --poll={{ int64 $loader.poll }}
- --listen={{ int64 $loader.port }}
{{- with $loader.onSwap }}
- {{ printf "--on-swap=%s" . | quote }}
{{- end }}
{{- end -}}

{{- /* What the container is told that the host waits for: what to wait for, and where to say that it is there. */ -}}
{{- define "favn-feature-loader.gateArguments" -}}
- --start-with={{ (index .Values "favn-feature-loader").startWith }}
- {{ printf "--ready-file=%s" (include "favn-feature-loader.readyFile" .) | quote }}
{{- end -}}
