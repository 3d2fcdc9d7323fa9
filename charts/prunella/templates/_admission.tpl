{{/* A binding that denies whatever the policy of this name refuses, everywhere. */}}
{{- define "prunella.admissionBinding" -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: {{ .name }}
  labels:
    {{- include "prunella.labels" .context | nindent 4 }}
spec:
  policyName: {{ .name }}
  validationActions: [Deny]
{{- end }}

{{/*
CEL: the maps `is` and `was` have the same entries, keys `k` that `except` allows left aside.
Both are dynamic, so that one expression fits all kinds and their optional fields.
*/}}
{{- define "prunella.cel.same" -}}
{{ .is }}.all(k, {{ .except }} || (k in {{ .was }} && {{ .is }}[k] == {{ .was }}[k])) && {{ .was }}.all(k, {{ .except }} || k in {{ .is }})
{{- end }}
