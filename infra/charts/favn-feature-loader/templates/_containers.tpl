{{- /* For a pod's `initContainers`. What stands after it starts when the features are in place. */ -}}
{{- define "favn-feature-loader.initContainers" -}}
{{- include "favn-feature-loader.check" . -}}
{{- if (index .Values "favn-feature-loader").nativeSidecar -}}
- name: favn-feature-loader
  restartPolicy: Always
  args:
    - watch
    {{- include "favn-feature-loader.arguments" . | nindent 4 }}
    {{- include "favn-feature-loader.watchArguments" . | nindent 4 }}
    {{- include "favn-feature-loader.gateArguments" . | nindent 4 }}
  {{- include "favn-feature-loader.container" . | nindent 2 }}
  {{- include "favn-feature-loader.probes" . | nindent 2 }}
  startupProbe:
    httpGet:
      path: /readyz
      port: favn-loader
    periodSeconds: 5
    timeoutSeconds: 5
    failureThreshold: {{ include "favn-feature-loader.startupFailures" . }}
{{- else -}}
- name: favn-feature-sync
  args:
    - sync
    {{- include "favn-feature-loader.arguments" . | nindent 4 }}
    {{- include "favn-feature-loader.gateArguments" . | nindent 4 }}
    - --wait
  {{- include "favn-feature-loader.container" . | nindent 2 }}
{{- end -}}
{{- end -}}

{{- /* For a pod's `containers`. Nothing where the sidecar is a native one. */ -}}
{{- define "favn-feature-loader.containers" -}}
{{- include "favn-feature-loader.check" . -}}
{{- if not (index .Values "favn-feature-loader").nativeSidecar -}}
- name: favn-feature-loader
  args:
    - watch
    {{- include "favn-feature-loader.arguments" . | nindent 4 }}
    {{- include "favn-feature-loader.watchArguments" . | nindent 4 }}
    - --start-with=any
  {{- include "favn-feature-loader.container" . | nindent 2 }}
  {{- include "favn-feature-loader.probes" . | nindent 2 }}
{{- end -}}
{{- end -}}

{{- /* What every container of the loader has. */ -}}
{{- define "favn-feature-loader.container" -}}
{{- $loader := index .Values "favn-feature-loader" -}}
image: {{ include "favn-feature-loader.image" . | quote }}
imagePullPolicy: {{ $loader.image.pullPolicy }}
{{- $environment := include "favn-feature-loader.environment" . }}
{{- with $environment }}
env:
  {{- . | nindent 2 }}
{{- end }}
resources:
  {{- toYaml $loader.resources | nindent 2 }}
securityContext:
  runAsNonRoot: true
  {{- with $loader.runAsUser }}
  runAsUser: {{ int64 . }}
  {{- end }}
  {{- with $loader.runAsGroup }}
  runAsGroup: {{ int64 . }}
  {{- end }}
  readOnlyRootFilesystem: true
  allowPrivilegeEscalation: false
  capabilities:
    drop:
      - ALL
  seccompProfile:
    type: RuntimeDefault
volumeMounts:
  {{- include "favn-feature-loader.mounts" . | nindent 2 }}
{{- end -}}

{{- /* A host's `image`: the digest where there is one. */ -}}
{{- define "favn-feature-loader.image" -}}
{{- with (index .Values "favn-feature-loader").image -}}
{{- .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag }}{{ end -}}
{{- end -}}
{{- end -}}

{{- define "favn-feature-loader.environment" -}}
{{- $loader := index .Values "favn-feature-loader" -}}
{{- $environment := list -}}
{{- if $loader.registryCredentials -}}
{{- $environment = append $environment (dict "name" "DOCKER_CONFIG" "value" "/etc/favn/registry") -}}
{{- end -}}
{{- if $loader.caBundle -}}
{{- $environment = append $environment (dict "name" "SSL_CERT_FILE" "value" "/etc/favn/authorities/ca.crt") -}}
{{- end -}}
{{- with concat $environment $loader.extraEnv -}}
{{- toYaml . -}}
{{- end -}}
{{- end -}}
