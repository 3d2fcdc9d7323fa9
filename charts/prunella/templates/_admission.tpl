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

{{/*
A CEL expression: two maps are equal but for some fields, and each of these is within its bounds.
is, was: expressions of the maps; fields: as in prunella.writable; except: more keys, as "|| ...".
*/}}
{{- define "prunella.cel.fields" -}}
{{- $is := .is -}}{{- $was := .was -}}{{- $below := dict -}}{{- $leaves := list -}}{{- $keys := list -}}
{{- range .fields -}}
{{- $key := first .parts | squote -}}
{{- if gt (len .parts) 1 -}}
{{- $keys = append $keys $key -}}
{{- $next := merge (dict "parts" (rest .parts)) . -}}
{{- $_ := set $below $key (append (get $below $key | default list) $next) -}}
{{- else -}}
{{- $own := ternary "" (printf "variables.is.metadata.name == %s && " (squote .name)) (empty .name) -}}
{{- $keys = append $keys (printf "%s" $key) -}}
{{- $value := printf "%s[%s]" $is $key -}}
{{- $allowed := list -}}
{{- if hasKey . "values" -}}
{{- $texts := list -}}{{- range .values -}}{{- $texts = append $texts (squote .) -}}{{- end -}}
{{- $allowed = append $allowed (printf "string(%s) in [%s]" $value (join ", " $texts)) -}}
{{- else if hasKey . "most" -}}
{{- $allowed = append $allowed (printf "quantity(string(%s)).compareTo(quantity(%s)) <= 0" $value (squote .most)) -}}
{{- if .grows -}}{{- $allowed = append $allowed (printf "quantity(string(%s)).compareTo(quantity(string(%s[%s]))) >= 0" $value $was $key) -}}{{- end -}}
{{- else -}}
{{- if hasKey . "min" -}}{{- $allowed = append $allowed (printf "int(%s) >= %v" $value (int64 .min)) -}}{{- end -}}
{{- $allowed = append $allowed (printf "int(%s) <= %v" $value (int64 .max)) -}}
{{- end -}}
{{- $leaves = append $leaves (dict "key" $key "own" $own "allowed" (join " && " $allowed)) -}}
{{- end -}}
{{- end -}}
{{ include "prunella.cel.same" (dict "is" $is "was" $was "except" (printf "(k in [%s] %s)" (join ", " (uniq $keys)) (default "" .except))) }}
{{- $byKey := dict -}}
{{- range $leaves -}}
{{- $_ := set $byKey .key (append (get $byKey .key | default list) (printf "(%s%s)" .own .allowed)) -}}
{{- end -}}
{{- range $key, $ways := $byKey }} && (!({{ $key }} in {{ $is }}) || {{ $key }} in {{ $was }} && {{ $is }}[{{ $key }}] == {{ $was }}[{{ $key }}] || {{ join " || " $ways }})
{{- end -}}
{{- range $key, $fields := $below }} && (!({{ $key }} in {{ $is }}) && !({{ $key }} in {{ $was }}) || {{ $key }} in {{ $is }} && {{ $key }} in {{ $was }} && {{ include "prunella.cel.fields" (dict "is" (printf "%s[%s]" $is $key) "was" (printf "%s[%s]" $was $key) "fields" $fields) }})
{{- end -}}
{{- end }}
