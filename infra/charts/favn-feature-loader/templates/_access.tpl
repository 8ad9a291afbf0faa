{{- /* For a pod's `serviceAccountName`. Nothing where the loader does not speak to the API server. */ -}}
{{- define "favn-feature-loader.serviceAccountName" -}}
{{- with (index .Values "favn-feature-loader").kubernetes -}}
{{- if .enabled -}}
{{- .serviceAccountName | default (printf "%s-feature-loader" $.Release.Name) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* Whole objects: the service account, unless it is there, and what it may do. Nothing where nothing is needed. */ -}}
{{- define "favn-feature-loader.access" -}}
{{- $loader := index .Values "favn-feature-loader" -}}
{{- if $loader.kubernetes.enabled }}
{{- if not $loader.kubernetes.serviceAccountName }}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "favn-feature-loader.serviceAccountName" . | quote }}
  namespace: {{ .Release.Namespace | quote }}
  labels:
    {{- include "favn-feature-loader.labels" . | nindent 4 }}
automountServiceAccountToken: false
{{- end }}
{{- range $namespace := $loader.kubernetes.namespaces | default (list .Release.Namespace) }}
{{- $name := printf "%s-%s-feature-loader" $.Release.Namespace $.Release.Name }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ $name | quote }}
  namespace: {{ $namespace | quote }}
  labels:
    {{- include "favn-feature-loader.labels" $ | nindent 4 }}
rules:
  - apiGroups: [""]
    resources: [configmaps]
    verbs: [get, list, watch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ $name | quote }}
  namespace: {{ $namespace | quote }}
  labels:
    {{- include "favn-feature-loader.labels" $ | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ $name | quote }}
subjects:
  - kind: ServiceAccount
    name: {{ include "favn-feature-loader.serviceAccountName" $ | quote }}
    namespace: {{ $.Release.Namespace | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "favn-feature-loader.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/name: favn-feature-loader
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: feature-loader
app.kubernetes.io/part-of: favn
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}
