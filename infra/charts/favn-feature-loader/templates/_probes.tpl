{{- /* Of what runs `watch`. Sources that are down make nothing unhealthy. */ -}}
{{- define "favn-feature-loader.probes" -}}
ports:
  - name: favn-loader
    containerPort: {{ int64 (index .Values "favn-feature-loader").port }}
livenessProbe:
  httpGet:
    path: /healthz
    port: favn-loader
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet:
    path: /readyz
    port: favn-loader
  periodSeconds: 5
  timeoutSeconds: 5
{{- end -}}

{{- /*
How often the start-up probe of the native sidecar, every five seconds, may fail. Under `any` it succeeds after one pass,
which ends in time by itself. Otherwise it is for the sources to come back, and twelve passes go by before a restart.
*/ -}}
{{- define "favn-feature-loader.startupFailures" -}}
{{- $loader := index .Values "favn-feature-loader" -}}
{{- $passes := eq $loader.startWith "any" | ternary 1 12 -}}
{{- $seconds := add 60 (mul $passes (add $loader.timeout $loader.poll)) -}}
{{- div (add $seconds 4) 5 -}}
{{- end -}}
