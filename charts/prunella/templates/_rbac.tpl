{{/* Rights in a namespace that the operator works in: reading, its records, its statuses. */}}
{{- define "prunella.rules.core" -}}
- apiGroups: [prunella.dev]
  resources: [remediationpolicies]
  verbs: [get, list, watch]
- apiGroups: [prunella.dev]
  resources: [remediations, changes, incidents]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [prunella.dev]
  resources: [remediationpolicies/status, remediations/status, changes/status, incidents/status]
  verbs: [update]
- apiGroups: [apps]
  resources: [deployments, statefulsets, daemonsets]
  verbs: [get, list, watch]
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

{{/* Rights of the enabled actions; nothing when all are off. */}}
{{- define "prunella.rules.actions" -}}
{{- with .Values.actions }}
{{- if or .restart .rollback }}
- apiGroups: [apps]
  resources: [deployments, statefulsets, daemonsets]
  verbs: [patch]
{{- else if .scale }}
- apiGroups: [apps]
  resources: [deployments, statefulsets]
  verbs: [patch]
{{- end }}
{{- if .evictPod }}
- apiGroups: [""]
  resources: [pods/eviction]
  verbs: [create]
{{- end }}
{{- end }}
{{- end }}

{{/* The one subject of every binding. */}}
{{- define "prunella.subject" -}}
- kind: ServiceAccount
  name: {{ include "prunella.fullname" . }}
  namespace: {{ .Release.Namespace }}
{{- end }}
