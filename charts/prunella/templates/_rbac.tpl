{{/* Rights in a namespace that the operator works in: reading, its records, its statuses. */}}
{{- define "prunella.rules.core" -}}
- apiGroups: [prunella.dev]
  resources: [remediationpolicies, approvals]
  verbs: [get, list, watch]
- apiGroups: [prunella.dev]
  resources: [remediations, changes, incidents]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [prunella.dev]
  resources: [journalsnapshots]
  verbs: [list, create, patch, delete]
- apiGroups: [prunella.dev]
  resources: [remediationpolicies/status, remediations/status, approvals/status, changes/status, incidents/status]
  verbs: [update]
- apiGroups: [""]
  resources: [namespaces]
  verbs: [get]
- apiGroups: [apps]
  resources: [deployments, statefulsets, daemonsets]
  verbs: [get, list, watch]
- apiGroups: [batch]
  resources: [cronjobs]
  verbs: [get, list, watch]
- apiGroups: [argoproj.io]
  resources: [rollouts]
  verbs: [get, list, watch]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [list]
- apiGroups: [apps]
  resources: [replicasets, controllerrevisions]
  verbs: [get, list]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list]
- apiGroups: [keda.sh]
  resources: [scaledobjects]
  verbs: [get, list]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end }}

{{/*
Rights to lead alerts to workloads, and to see Warning Events. Nodes are cluster-wide: a Role can't
give them.
*/}}
{{- define "prunella.rules.intake" -}}
- apiGroups: [""]
  resources: [services]
  verbs: [list]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list]
{{- if .Values.intake.polls.kubernetes }}
- apiGroups: [""]
  resources: [events]
  verbs: [list]
{{- end }}
{{- if not .Values.namespaces }}
- apiGroups: [""]
  resources: [nodes]
  verbs: [list]
{{- end }}
{{- end }}

{{/*
Rights of the enabled actions; nothing when all are off. `.webhook` asks systems outside the cluster:
it needs none here, and admission-records.yaml keeps it to what is listed.
*/}}
{{- define "prunella.rules.actions" -}}
{{- with .Values.actions }}
{{- if .resize }}
- apiGroups: [""]
  resources: [pods/resize]
  verbs: [patch]
{{- end }}
{{- if or .restart .rollback .resize }}
- apiGroups: [apps]
  resources: [deployments, statefulsets, daemonsets]
  verbs: [patch]
{{- else if .scale }}
- apiGroups: [apps]
  resources: [deployments, statefulsets]
  verbs: [patch]
{{- end }}
{{- if .suspendCronJob }}
- apiGroups: [batch]
  resources: [cronjobs]
  verbs: [patch]
{{- end }}
{{- if and .expandVolume (not $.Values.namespaces) }}
- apiGroups: [storage.k8s.io]
  resources: [storageclasses]
  verbs: [get]
{{- end }}
{{- if and $.Values.argoRollouts.enabled (or .restart .rollback .scale) }}
- apiGroups: [argoproj.io]
  resources: [rollouts]
  verbs: [patch]
{{- end }}
{{- if or .abortRollout .promote }}
- apiGroups: [argoproj.io]
  resources: [rollouts/status]
  verbs: [patch]
{{- end }}
{{- if or .rerunJob .runJob .helmRollback }}
- apiGroups: [batch]
  resources: [jobs]
  verbs: [create]
{{- end }}
{{- if or .runJob .helmRollback }}
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]
{{- end }}
{{- if $.Values.offered.captures }}
- apiGroups: [prunella.dev]
  resources: [captures]
  verbs: [list, create, delete]
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]
- apiGroups: [""]
  resources: [events]
  verbs: [list]
{{- end }}
{{- if or .evictPod .restartPods .deleteStuckPod }}
- apiGroups: [""]
  resources: [pods/eviction]
  verbs: [create]
{{- end }}
{{- end }}
{{- include "prunella.rules.restore" . }}
{{- include "prunella.rules.fields" . }}
{{- include "prunella.rules.traffic" . }}
{{- if .Values.actions.renewCertificate }}
- apiGroups: [cert-manager.io]
  resources: [certificates]
  verbs: [get]
- apiGroups: [cert-manager.io]
  resources: [certificates/status]
  verbs: [patch]
{{- end }}
{{- if .Values.actions.gitRevert }}
{{- include "prunella.rules.git" . }}
{{- end }}
{{- end }}

{{/*
Rights to obey policies on nodes, to patch nodes where `.cordon`, `.drain` or `.uncordon` is enabled, and to
evict pods for `.drain`; nothing when they are off. What of a node may be written, admission-nodes.yaml says.
*/}}
{{- define "prunella.rules.nodes" -}}
{{- if .Values.clusterPolicies.enabled }}
- apiGroups: [prunella.dev]
  resources: [clusterremediationpolicies]
  verbs: [get, list, watch]
- apiGroups: [prunella.dev]
  resources: [clusterremediationpolicies/status]
  verbs: [update]
- apiGroups: [""]
  resources: [nodes]
  verbs: [get, list, watch]
{{- with .Values.actions }}
{{- if or .cordon .drain .uncordon }}
- apiGroups: [""]
  resources: [nodes]
  verbs: [patch]
{{- end }}
{{- if .drain }}
- apiGroups: [""]
  resources: [pods/eviction]
  verbs: [create]
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* Rights to read what deploys from Git; it is never written. */}}
{{- define "prunella.rules.git" }}
- apiGroups: [kustomize.toolkit.fluxcd.io]
  resources: [kustomizations]
  verbs: [get]
- apiGroups: [source.toolkit.fluxcd.io]
  resources: [gitrepositories]
  verbs: [get]
- apiGroups: [argoproj.io]
  resources: [applications]
  verbs: [get]
{{- end }}

{{/*
What the enabled actions may write beside workloads, as YAML: a list of fields with group, resource,
kind, name (empty: of any object), parts of the path, and min and max, values, or most (a quantity);
with grows it is never less than before.
*/}}
{{- define "prunella.writable" -}}
{{- $found := list -}}
{{- if .Values.actions.patchField -}}
{{- range .Values.patchField.fields -}}
{{- $parts := list -}}
{{- range splitList "." (replace "\\." "\t" .path) -}}
{{- $parts = append $parts (replace "\t" "." .) -}}
{{- end -}}
{{- $group := ternary (first (splitList "/" .apiVersion)) "" (contains "/" .apiVersion) -}}
{{- $field := dict "group" $group "resource" .resource "kind" .kind "name" (default "" .name) "parts" $parts -}}
{{- $found = append $found (merge $field (pick . "min" "max" "values")) -}}
{{- end -}}
{{- end -}}
{{- if .Values.actions.scaleBounds -}}
{{- $hpa := dict "group" "autoscaling" "resource" "horizontalpodautoscalers" "kind" "HorizontalPodAutoscaler" -}}
{{- $keda := dict "group" "keda.sh" "resource" "scaledobjects" "kind" "ScaledObject" -}}
{{- $most := dict "name" "" "min" 0 "max" .Values.scaleBounds.max -}}
{{- range list "minReplicas" "maxReplicas" -}}
{{- $found = append $found (merge (dict "parts" (list "spec" .)) $hpa $most) -}}
{{- end -}}
{{- range ternary (list "minReplicaCount" "maxReplicaCount") list .Values.scaleBounds.scaledObjects -}}
{{- $found = append $found (merge (dict "parts" (list "spec" .)) $keda $most) -}}
{{- end -}}
{{- end -}}
{{- if .Values.actions.raiseQuota -}}
{{- range $resource, $ceiling := .Values.raiseQuota.ceilings -}}
{{- $quota := dict "group" "" "resource" "resourcequotas" "kind" "ResourceQuota" "name" "" "most" (toString $ceiling) -}}
{{- $found = append $found (merge (dict "parts" (list "spec" "hard" $resource)) $quota) -}}
{{- end -}}
{{- end -}}
{{- if .Values.actions.expandVolume -}}
{{- $claim := dict "group" "" "resource" "persistentvolumeclaims" "kind" "PersistentVolumeClaim" "name" "" -}}
{{- $size := dict "parts" (list "spec" "resources" "requests" "storage") "most" .Values.expandVolume.max "grows" true -}}
{{- $found = append $found (merge $size $claim) -}}
{{- end -}}
{{- if .Values.actions.shiftTraffic -}}
{{- range $label, $values := .Values.shiftTraffic.selectors -}}
{{- $service := dict "group" "" "resource" "services" "kind" "Service" "name" "" "values" $values -}}
{{- $found = append $found (merge (dict "parts" (list "spec" "selector" $label)) $service) -}}
{{- end -}}
{{- end -}}
{{- toYaml (dict "fields" $found) -}}
{{- end }}

{{/* Where routes are kept whose weights can be written: kind, API group, resource, and their lists. */}}
{{- define "prunella.routeKinds" -}}
HTTPRoute gateway.networking.k8s.io httproutes rules backendRefs
VirtualService networking.istio.io virtualservices http route
{{- end }}

{{/* Rights to move traffic between the backends of routes, and to see whose pods a Service has. */}}
{{- define "prunella.rules.traffic" -}}
{{- if .Values.actions.shiftTraffic }}
{{- $any := false }}
{{- range splitList "\n" (include "prunella.routeKinds" .) }}
{{- $words := splitList " " . }}
{{- if index $.Values.shiftTraffic.kinds (first $words) }}
{{- $any = true }}
- apiGroups: [{{ index $words 1 }}]
  resources: [{{ index $words 2 }}]
  verbs: [get, patch]
{{- end }}
{{- end }}
{{- if $any }}
- apiGroups: [""]
  resources: [services]
  verbs: [get]
{{- end }}
{{- end }}
{{- end }}

{{/* Rights to read and patch the objects of these fields. */}}
{{- define "prunella.rules.fields" -}}
{{- range (include "prunella.writable" . | fromYaml).fields }}
- apiGroups: [{{ .group | quote }}]
  resources: [{{ .resource }}]
  {{- with .name }}
  resourceNames: [{{ . | quote }}]
  {{- end }}
  verbs: [get, patch]
{{- end }}
{{- end }}

{{/* Where the API server keeps the kinds that can be restored: kind, API group, resource. */}}
{{- define "prunella.restoreKinds" -}}
Service - services
NetworkPolicy networking.k8s.io networkpolicies
ConfigMap - configmaps
ResourceQuota - resourcequotas
HorizontalPodAutoscaler autoscaling horizontalpodautoscalers
Ingress networking.k8s.io ingresses
LimitRange - limitranges
PodDisruptionBudget policy poddisruptionbudgets
Deployment apps deployments
StatefulSet apps statefulsets
DaemonSet apps daemonsets
CronJob batch cronjobs
{{- end }}

{{/* Those of which only fields are restored: what runs pods is never created or deleted. */}}
{{- define "prunella.restoreFieldsOnly" -}}
Deployment StatefulSet DaemonSet CronJob
{{- end }}

{{/* Rights to restore the enabled kinds. */}}
{{- define "prunella.rules.restore" -}}
{{- if .Values.actions.restore }}
{{- range splitList "\n" (include "prunella.restoreKinds" .) }}
{{- $words := splitList " " . }}
{{- $kind := first $words }}
{{- if index $.Values.restore.kinds $kind }}
- apiGroups: [{{ ternary "" (index $words 1) (eq (index $words 1) "-") | quote }}]
  resources: [{{ index $words 2 }}]
  verbs: [{{ ternary "get, patch" "get, patch, create, delete" (has $kind (splitList " " (include "prunella.restoreFieldsOnly" $))) }}]
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/*
Where the API server keeps the kinds that can be journalled: kind, API group, resource.
Nodes are cluster-wide: a Role can't give them, so they are journalled with a ClusterRole only.
*/}}
{{- define "prunella.journalKinds" -}}
Deployment apps deployments
StatefulSet apps statefulsets
DaemonSet apps daemonsets
CronJob batch cronjobs
Job batch jobs
Service - services
Ingress networking.k8s.io ingresses
NetworkPolicy networking.k8s.io networkpolicies
ConfigMap - configmaps
HorizontalPodAutoscaler autoscaling horizontalpodautoscalers
PodDisruptionBudget policy poddisruptionbudgets
ResourceQuota - resourcequotas
LimitRange - limitranges
ServiceAccount - serviceaccounts
PersistentVolumeClaim - persistentvolumeclaims
Role rbac.authorization.k8s.io roles
RoleBinding rbac.authorization.k8s.io rolebindings
Node - nodes
HTTPRoute gateway.networking.k8s.io httproutes
Rollout argoproj.io rollouts
Application argoproj.io applications
VirtualService networking.istio.io virtualservices
DestinationRule networking.istio.io destinationrules
AuthorizationPolicy security.istio.io authorizationpolicies
PeerAuthentication security.istio.io peerauthentications
Certificate cert-manager.io certificates
ScaledObject keda.sh scaledobjects
HelmRelease helm.toolkit.fluxcd.io helmreleases
Kustomization kustomize.toolkit.fluxcd.io kustomizations
{{- end }}

{{/* Rights to watch the kinds that are journalled; nothing when the journal is off. */}}
{{- define "prunella.rules.journal" -}}
{{- if .Values.journal.enabled }}
{{- range splitList "\n" (include "prunella.journalKinds" .) }}
{{- $words := splitList " " . }}
{{- $kind := first $words }}
{{- if and (index $.Values.journal.kinds $kind) (or (ne $kind "Node") (not $.Values.namespaces)) }}
- apiGroups: [{{ ternary "" (index $words 1) (eq (index $words 1) "-") | quote }}]
  resources: [{{ index $words 2 }}]
  verbs: [list, watch]
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* Rights to look around what is sick: lists, never Secrets; nothing when it is off. */}}
{{- define "prunella.rules.diagnosis" -}}
{{- if and .Values.diagnosis.enabled .Values.diagnosis.objects }}
- apiGroups: [""]
  resources: [services, resourcequotas, limitranges, persistentvolumeclaims, serviceaccounts]
  verbs: [list]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [list]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [list]
{{- end }}
{{- end }}

{{/* The same of what is cluster-wide: a Role can't give it. */}}
{{- define "prunella.rules.diagnosisOfCluster" -}}
{{- if and .Values.diagnosis.enabled .Values.diagnosis.objects }}
- apiGroups: [""]
  resources: [nodes, namespaces]
  verbs: [list]
- apiGroups: [storage.k8s.io]
  resources: [storageclasses]
  verbs: [list]
- apiGroups: [scheduling.k8s.io]
  resources: [priorityclasses]
  verbs: [list]
{{- end }}
{{- end }}

{{/* The one subject of every binding. */}}
{{- define "prunella.subject" -}}
- kind: ServiceAccount
  name: {{ include "prunella.fullname" . }}
  namespace: {{ .Release.Namespace }}
{{- end }}
