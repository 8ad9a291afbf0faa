{{- /* Where the host reads features: one folder a feature. */ -}}
{{- define "favn-feature-loader.root" -}}
{{ (index .Values "favn-feature-loader").mountPath }}/artifacts
{{- end -}}

{{- /* The file that is there once the features are in place. It is no feature, so it stands beside the root. */ -}}
{{- define "favn-feature-loader.readyFile" -}}
{{ (index .Values "favn-feature-loader").mountPath }}/ready
{{- end -}}

{{- /* For the `volumeMounts` of the host's container. */ -}}
{{- define "favn-feature-loader.hostMount" -}}
- name: favn-features
  mountPath: {{ (index .Values "favn-feature-loader").mountPath | quote }}
  readOnly: true
{{- end -}}

{{- /* For the `env` of the host's container. */ -}}
{{- define "favn-feature-loader.hostEnv" -}}
- name: FEATURE_HOST_ROOT
  value: {{ include "favn-feature-loader.root" . | quote }}
- name: FEATURE_HOST_READY_FILE
  value: {{ include "favn-feature-loader.readyFile" . | quote }}
{{- end -}}
