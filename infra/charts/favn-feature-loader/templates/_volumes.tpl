{{- /* For a pod's `volumes`. */ -}}
{{- define "favn-feature-loader.volumes" -}}
{{- include "favn-feature-loader.check" . -}}
{{- $loader := index .Values "favn-feature-loader" -}}
- name: favn-features
  emptyDir:
    sizeLimit: {{ $loader.sizeLimit | quote }}
- name: favn-trust
  {{- with $loader.trustKeys.configMap }}
  configMap:
    name: {{ .name | quote }}
    items:
      - key: {{ .key | default "trust.json" | quote }}
        path: trust.json
  {{- end }}
  {{- with $loader.trustKeys.secret }}
  secret:
    secretName: {{ .name | quote }}
    items:
      - key: {{ .key | default "trust.json" | quote }}
        path: trust.json
  {{- end }}
{{- if $loader.kubernetes.enabled }}
{{- /* What Kubernetes would mount into every container of the pod, here for the loader alone. */}}
- name: favn-api
  projected:
    sources:
      - serviceAccountToken:
          path: token
          expirationSeconds: 3607
      - configMap:
          name: kube-root-ca.crt
          items:
            - key: ca.crt
              path: ca.crt
      - downwardAPI:
          items:
            - path: namespace
              fieldRef:
                fieldPath: metadata.namespace
{{- end }}
{{- with $loader.mountedRegistrations }}
- name: favn-registrations
  projected:
    sources:
      {{- range $name := . }}
      - configMap:
          name: {{ $name | quote }}
          optional: true
          items:
            {{- range $key := list "featureId" "cdnBaseUrl" "image" "minSequence" }}
            - key: {{ $key }}
              path: {{ printf "%s/%s" $name $key | quote }}
            {{- end }}
      {{- end }}
{{- end }}
{{- with $loader.registryCredentials }}
- name: favn-registry
  secret:
    secretName: {{ .secretName | quote }}
    items:
      - key: .dockerconfigjson
        path: config.json
{{- end }}
{{- with $loader.caBundle }}
- name: favn-authorities
  configMap:
    name: {{ .configMap.name | quote }}
    items:
      - key: {{ .configMap.key | default "ca.crt" | quote }}
        path: ca.crt
{{- end }}
{{- end -}}

{{- /* What the loader sees of them. Folders, not `subPath`: otherwise it would not see keys that are rotated. */ -}}
{{- define "favn-feature-loader.mounts" -}}
{{- $loader := index .Values "favn-feature-loader" -}}
- name: favn-features
  mountPath: {{ $loader.mountPath | quote }}
- name: favn-trust
  mountPath: /etc/favn/trust
  readOnly: true
{{- if $loader.kubernetes.enabled }}
- name: favn-api
  mountPath: /var/run/secrets/kubernetes.io/serviceaccount
  readOnly: true
{{- end }}
{{- if $loader.mountedRegistrations }}
- name: favn-registrations
  mountPath: /etc/favn/registrations
  readOnly: true
{{- end }}
{{- if $loader.registryCredentials }}
- name: favn-registry
  mountPath: /etc/favn/registry
  readOnly: true
{{- end }}
{{- if $loader.caBundle }}
- name: favn-authorities
  mountPath: /etc/favn/authorities
  readOnly: true
{{- end }}
{{- end -}}
