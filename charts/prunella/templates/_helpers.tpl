{{/* Name of every object: the release's name, with the chart's in it once. */}}
{{- define "prunella.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{/* Labels by which the operator's pod is selected; they never change. */}}
{{- define "prunella.selectorLabels" -}}
app.kubernetes.io/name: prunella
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Labels of every object. */}}
{{- define "prunella.labels" -}}
{{ include "prunella.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* The name by which the API server knows the operator. */}}
{{- define "prunella.username" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "prunella.fullname" . }}
{{- end }}

{{/* The image, by digest if there is one. */}}
{{- define "prunella.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Whether replicas elect a leader. */}}
{{- define "prunella.elects" -}}
{{- or .Values.leaderElection.enabled (gt (int .Values.replicas) 1) -}}
{{- end }}

{{/*
Refuse more replicas beside one that runs without an election: it would go on as if it were alone. What
runs is known only where Helm can ask the cluster.
*/}}
{{- define "prunella.checkReplicas" -}}
{{- $running := lookup "v1" "ConfigMap" .Release.Namespace (include "prunella.fullname" .) -}}
{{- if and $running (gt (int .Values.replicas) 1) -}}
{{- $settings := fromYaml (dig "data" "settings.yaml" "" $running) -}}
{{- if not (dig "leaderElection" "enabled" false $settings) -}}
{{- fail (printf "replicas is %d, and the one that runs elects no leader: first upgrade with leaderElection.enabled=true and one replica" (int .Values.replicas)) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Names of the enabled actions, as a YAML list. */}}
{{- define "prunella.enabledActions" -}}
{{- $enabled := list -}}
{{- range $action := list "restart" "evictPod" "scale" "rollback" "restartPods" "deleteStuckPod" "suspendCronJob" "rerunJob" "runJob" "restore" "webhook" "patchField" "scaleBounds" "raiseQuota" "resize" "shiftTraffic" "renewCertificate" "expandVolume" "gitRevert" "helmRollback" "abortRollout" "promote" "cordon" "drain" "uncordon" -}}
{{- if index $.Values.actions $action -}}
{{- $enabled = append $enabled $action -}}
{{- end -}}
{{- end -}}
{{- $enabled | toYaml -}}
{{- end }}

{{/* Names of the sources and endpoints that take their credentials from a cloud; nothing if there are none. */}}
{{- define "prunella.cloudSources" -}}
{{- range $name, $source := .Values.sources -}}
{{- if or (hasKey $source "sigV4") (hasKey $source "entra") (hasKey $source "google") -}}
{{ $name }} {{ end -}}
{{- end -}}
{{- if .Values.actions.webhook -}}
{{- range $name, $endpoint := .Values.offered.endpoints -}}
{{- if hasKey $endpoint "sigV4" -}}
{{ $name }} {{ end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Refuse a source for which it is not plain which credentials are sent. */}}
{{- define "prunella.checkSources" -}}
{{- $kinds := list "bearerTokenFile" "basicAuth" "sigV4" "entra" "google" -}}
{{- range $name, $source := .Values.sources -}}
{{- $found := list -}}
{{- range $kinds -}}
{{- if hasKey $source . -}}
{{- $found = append $found . -}}
{{- end -}}
{{- end -}}
{{- if gt (len $found) 1 -}}
{{- fail (printf "sources.%s: found %s: give at most one of %s" $name (join " and " $found) (join ", " $kinds)) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* What the operator is told of. Empty credentials are left out; a port without any is refused. */}}
{{- define "prunella.intake" -}}
{{- with .Values.intake -}}
{{- $hook := .webhook -}}
{{- if and $hook.enabled (not $hook.bearerTokenFile) (not (dig "clientCaFile" "" $hook.tls)) -}}
{{- fail "intake.webhook: enabled without bearerTokenFile or tls.clientCaFile: give one" -}}
{{- end -}}
webhook:
  {{- range $field, $value := $hook }}
  {{- if not (has $field (list "bearerTokenFile" "tls") | and (empty $value)) }}
  {{ $field }}: {{ toJson $value }}
  {{- end }}
  {{- end }}
{{- if and .analysis.enabled (not $hook.enabled) -}}
{{- fail "intake.analysis.enabled needs intake.webhook.enabled: it is asked on that port" -}}
{{- end -}}
{{- if and .analysis.enabled (or (not .analysis.bearerTokenFile) (eq .analysis.bearerTokenFile (default "" $hook.bearerTokenFile))) -}}
{{- fail "intake.analysis.enabled needs an intake.analysis.bearerTokenFile of its own: who has the webhook's token may post alerts" -}}
{{- end }}
analysis:
  enabled: {{ .analysis.enabled }}
  {{- with .analysis.bearerTokenFile }}
  bearerTokenFile: {{ toJson . }}
  {{- end }}
  namespaces: {{ toJson .analysis.namespaces }}
polls:
  {{- toYaml .polls | nindent 2 }}
ignore: {{ toJson .ignore }}
serviceGraphSource: {{ .serviceGraphSource }}
{{- end -}}
{{- end }}

{{/* The change journal. Users are told on the intake's port, and written into the journal. */}}
{{- define "prunella.journal" -}}
{{- $audit := .Values.journal.audit -}}
{{- if and $audit.enabled (not (and .Values.journal.enabled .Values.intake.webhook.enabled)) -}}
{{- fail "journal.audit.enabled needs journal.enabled and intake.webhook.enabled: the API server posts to the intake's port" -}}
{{- end -}}
{{- toYaml (omit .Values.journal "audit") }}
audit:
  enabled: {{ $audit.enabled }}
  {{- with $audit.bearerTokenFile }}
  bearerTokenFile: {{ toJson . }}
  {{- end }}
{{- end }}

{{/*
The Job of `helmRollback` as a template of the operator's settings; none unless it is enabled, with an
image and namespaces.
*/}}
{{- define "prunella.helmRollback" -}}
{{- $given := .Values.helmRollback -}}
{{- if and .Values.actions.helmRollback $given.image $given.namespaces -}}
{{- $kinds := list -}}{{- range $given.kinds -}}{{- $kinds = append $kinds (join "." (compact (list .kind .group))) -}}{{- end -}}
template:
  namespaces: {{ toJson $given.namespaces }}
  image: {{ $given.image }}
  serviceAccount: {{ $given.serviceAccount }}
  mountToken: true
  command: [/bin/sh, -c]
  args: [{{ .Files.Get "files/helm-rollback.sh" | toJson }}]
  env:
    KINDS: {{ join " " $kinds | quote }}
    HISTORY_MAX: {{ $given.historyMax | int | quote }}
    TIMEOUT: {{ $given.timeoutSeconds | int | quote }}
  activeDeadlineSeconds: {{ add 120 (mul 3 $given.timeoutSeconds) }}
  parameters:
    RELEASE: {pattern: "[a-z0-9]([-a-z0-9.]{0,51}[a-z0-9])?"}
    CHANGED: {pattern: "[0-9]{1,12}"}
    HOOKS: {pattern: {{ ternary "Refuse|Run" "Refuse" $given.allowHooks }}}
    EXPECT: {pattern: "[0-9]{0,9}", default: ""}
    TO: {pattern: "[0-9]{0,9}", default: ""}
{{- end -}}
{{- end }}

{{/* The operator's settings file. Empty strings are left out: they mean "none". */}}
{{- define "prunella.settings" -}}
{{- include "prunella.checkSources" . -}}
{{- include "prunella.checkReplicas" . -}}
operatorNamespace: {{ .Release.Namespace }}
operatorName: {{ include "prunella.fullname" . }}
namespaces: {{ .Values.namespaces | toJson }}
{{- if and .Values.clusterPolicies.enabled .Values.namespaces }}
{{- fail "clusterPolicies.enabled needs all namespaces: leave namespaces empty" }}
{{- end }}
clusterPolicies: {{ .Values.clusterPolicies.enabled }}
sources:
  {{- toYaml .Values.sources | nindent 2 }}
alertmanager:
  {{- range $field, $value := .Values.alertmanager }}
  {{- if not (kindIs "string" $value | and (eq (toString $value) "")) }}
  {{ $field }}: {{ toJson $value }}
  {{- end }}
  {{- end }}
tracing:
  {{- range $field, $value := .Values.tracing }}
  {{- if not (kindIs "string" $value | and (eq (toString $value) "")) }}
  {{ $field }}: {{ toJson $value }}
  {{- end }}
  {{- end }}
intake:
  {{- include "prunella.intake" . | nindent 2 }}
limits:
  {{- toYaml .Values.limits | nindent 2 }}
trust:
  {{- toYaml .Values.trust | nindent 2 }}
windows:
  {{- toYaml .Values.windows | nindent 2 }}
offered:
  captures: {{ .Values.offered.captures }}
  jobTemplates: {{ toJson .Values.offered.jobTemplates }}
  {{- with (include "prunella.helmRollback" . | fromYaml).template }}
  helmRollback: {{ toJson . }}
  {{- end }}
  endpoints: {{ .Values.actions.webhook | ternary .Values.offered.endpoints dict | toJson }}
patchField:
  fields: {{ toJson .Values.patchField.fields }}
scaleBounds:
  max: {{ ternary .Values.scaleBounds.max nil .Values.actions.scaleBounds | toJson }}
raiseQuota:
  ceilings: {{ ternary .Values.raiseQuota.ceilings nil .Values.actions.raiseQuota | toJson }}
incidents:
  {{- toYaml .Values.incidents | nindent 2 }}
journal:
  {{- include "prunella.journal" . | nindent 2 }}
leaderElection:
  {{- toYaml (set (deepCopy .Values.leaderElection) "enabled" (eq (include "prunella.elects" .) "true")) | nindent 2 }}
diagnosis:
  {{- toYaml .Values.diagnosis | nindent 2 }}
git:
  {{- $off := .Values.actions.gitRevert | ternary (list "namespaces") (list "namespaces" "repositories") }}
  {{- range $field, $value := .Values.git }}
  {{- if not (has $field $off) }}
  {{ $field }}: {{ toJson $value }}
  {{- end }}
  {{- end }}
{{ toYaml .Values.operator }}
httpHost: 0.0.0.0
httpPort: 8080
{{- end }}
