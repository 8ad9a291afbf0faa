{{- /* What values.schema.json cannot say in clear words. Every other template that makes containers begins with it. */ -}}
{{- define "favn-feature-loader.check" -}}
{{- $loader := index .Values "favn-feature-loader" -}}
{{- if not $loader.image.repository -}}
{{- fail "favn-feature-loader.image.repository is missing: where the image of the loader is" -}}
{{- end -}}
{{- if not (or $loader.image.digest $loader.image.tag) -}}
{{- fail "favn-feature-loader.image: give a digest (better) or a tag" -}}
{{- end -}}
{{- $urls := values $loader.features | compact -}}
{{- if not (or $loader.remoteIndex $loader.kubernetes.enabled $loader.mountedRegistrations $urls) -}}
{{- fail "favn-feature-loader: no source of features: give remoteIndex, kubernetes.enabled, mountedRegistrations or features" -}}
{{- end -}}
{{- $trust := $loader.trustKeys -}}
{{- if not (or $trust.configMap $trust.secret) -}}
{{- fail "favn-feature-loader.trustKeys is missing: give configMap or secret, with the trust store" -}}
{{- end -}}
{{- if and $trust.configMap $trust.secret -}}
{{- fail "favn-feature-loader.trustKeys: give configMap or secret, not both" -}}
{{- end -}}
{{- range $url := prepend $urls $loader.remoteIndex | compact -}}
{{- if and (hasPrefix "http://" $url) (not $loader.allowHttp) -}}
{{- fail (printf "favn-feature-loader: plain http needs allowHttp: %s" $url) -}}
{{- end -}}
{{- end -}}
{{- if and $loader.nativeSidecar (semverCompare "<1.29.0-0" .Capabilities.KubeVersion.Version) -}}
{{- fail (printf "favn-feature-loader.nativeSidecar needs Kubernetes 1.29 or later, this is %s" .Capabilities.KubeVersion.Version) -}}
{{- end -}}
{{- end -}}
