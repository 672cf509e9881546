{{- define "milvus.name" -}}
{{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The Service's and ConfigMap's name: a release whose name contains the chart's is not given it twice. */}}
{{- define "milvus.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $combined := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{ default $combined .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* A dependency's name, by the same rule. Takes a list: the release's name, the dependency's. */}}
{{- define "milvus.dependency" -}}
{{- ternary (first .) (join "-" .) (contains (last .) (first .)) -}}
{{- end }}

{{- define "milvus.selector" -}}
app.kubernetes.io/name: {{ include "milvus.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "milvus.labels" -}}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{ include "milvus.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* The component that clients talk to. */}}
{{- define "milvus.frontend" -}}
{{ ternary "proxy" "standalone" .Values.cluster.enabled }}
{{- end }}

{{/* A Deployment of one Milvus component. Takes a dict: root, component, values (those of the component). */}}
{{- define "milvus.deployment" }}
{{- $frontend := eq .component (include "milvus.frontend" .root) }}
{{- $config := default (include "milvus.fullname" .root) .root.Values.customConfigMap }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "milvus.fullname" .root }}-{{ .component }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "milvus.labels" .root | nindent 4 }}
    component: {{ .component }}
    {{- with .root.Values.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    {{- with .root.Values.annotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- if eq .component "standalone" }}
    milvus.io/message-queue: {{ .root.Values.standalone.messageQueue }}
    {{- end }}
spec:
  {{- /* Whether or not an autoscaler sets the number too: only -1 leaves it out. */}}
  {{- $replicas := int (ternary 1 .values.replicas (eq .component "standalone")) }}
  {{- if ge $replicas 0 }}
  replicas: {{ $replicas }}
  {{- end }}
  {{- if eq .component "standalone" }}
  strategy:
    type: Recreate
  {{- end }}
  selector:
    matchLabels:
      {{- include "milvus.selector" .root | nindent 6 }}
      component: {{ .component }}
  template:
    metadata:
      labels:
        {{- include "milvus.selector" .root | nindent 8 }}
        component: {{ .component }}
        {{- with .root.Values.labels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      annotations:
        checksum/config: {{ include (print .root.Template.BasePath "/configmap.yaml") .root | sha256sum }}
        {{- with .root.Values.annotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      {{- with .values.nodeSelector | default .root.Values.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      containers:
        - name: {{ .component }}
          image: {{ .root.Values.image.all.repository }}:{{ .root.Values.image.all.tag }}
          imagePullPolicy: {{ .root.Values.image.all.pullPolicy }}
          args: [milvus, run, {{ .component }}]
          resources:
            {{- toYaml .values.resources | nindent 12 }}
          ports:
            {{- if $frontend }}
            - name: milvus
              containerPort: 19530
              protocol: TCP
            {{- end }}
            - name: metrics
              containerPort: 9091
              protocol: TCP
          {{- with .root.Values.livenessProbe }}
          {{- if .enabled }}
          livenessProbe:
            tcpSocket:
              port: metrics
            {{- omit . "enabled" | toYaml | nindent 12 }}
          {{- end }}
          {{- end }}
          {{- with .root.Values.readinessProbe }}
          {{- if .enabled }}
          readinessProbe:
            httpGet:
              path: /healthz
              port: metrics
            {{- omit . "enabled" | toYaml | nindent 12 }}
          {{- end }}
          {{- end }}
          volumeMounts:
            {{- if .root.Values.customConfigMap }}
            - name: milvus-config
              mountPath: /milvus/configs/user.yaml
              subPath: milvus.yaml
              readOnly: true
            {{- else }}
            {{- range list "default.yaml" "user.yaml" }}
            - name: milvus-config
              mountPath: /milvus/configs/{{ . }}
              subPath: {{ . }}
              readOnly: true
            {{- end }}
            {{- end }}
            {{- if eq .component "standalone" }}
            - name: milvus-data-disk
              mountPath: /var/lib/milvus
            {{- end }}
      volumes:
        - name: milvus-config
          configMap:
            name: {{ $config }}
        {{- if eq .component "standalone" }}
        - name: milvus-data-disk
          {{- if .root.Values.standalone.persistence.enabled }}
          persistentVolumeClaim:
            claimName: {{ include "milvus.fullname" .root | trunc 58 }}
          {{- else }}
          emptyDir: {}
          {{- end }}
        {{- end }}
{{- end }}

{{/* Scales one Milvus component. Takes a dict: root, component, hpa (its values). */}}
{{- define "milvus.autoscaler" }}
{{- $deployment := printf "%s-%s" (include "milvus.fullname" .root) .component }}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ $deployment }}-hpa
  namespace: {{ .root.Release.Namespace }}
  labels:
    component: {{ .component }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ $deployment }}
  minReplicas: {{ .hpa.minReplicas }}
  maxReplicas: {{ .hpa.maxReplicas }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target:
          type: Utilization
          averageUtilization: {{ .hpa.cpuUtilization }}
{{- end }}

{{/*
A StatefulSet that Milvus depends on, one claim a pod. Takes a dict: root, name, replicas, port, image, size and,
for annotations of its pods, podAnnotations.
*/}}
{{- define "milvus.statefulset" }}
{{- $fullname := include "milvus.dependency" (list .root.Release.Name .name) }}
apiVersion: v1
kind: Service
metadata:
  name: {{ $fullname }}
  namespace: {{ .root.Release.Namespace }}
  labels: &labels
    app.kubernetes.io/name: {{ .name }}
    app.kubernetes.io/instance: {{ .root.Release.Name }}
spec:
  selector: *labels
  ports:
    - port: {{ .port }}
---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: {{ $fullname }}
  namespace: {{ .root.Release.Namespace }}
  labels: &labels
    app.kubernetes.io/name: {{ .name }}
    app.kubernetes.io/instance: {{ .root.Release.Name }}
spec:
  replicas: {{ .replicas }}
  serviceName: {{ $fullname }}
  podManagementPolicy: Parallel
  selector:
    matchLabels: *labels
  template:
    metadata:
      labels: *labels
      {{- with .podAnnotations }}
      annotations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    spec:
      containers:
        - name: {{ .name }}
          image: {{ .image }}
          ports:
            - containerPort: {{ .port }}
          volumeMounts:
            - name: data
              mountPath: /data
  volumeClaimTemplates:
    - metadata:
        name: data
      spec:
        accessModes: [ReadWriteOnce]
        resources:
          requests:
            storage: {{ .size }}
{{- end }}
