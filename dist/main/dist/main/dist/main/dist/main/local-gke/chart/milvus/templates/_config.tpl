{{/* Milvus's configuration as far as it depends on the values. */}}
{{- define "milvus.config" -}}
{{- $etcd := include "milvus.dependency" (list .Release.Name .Values.etcd.name) -}}
etcd:
  endpoints:
    {{- range $member := until (int .Values.etcd.replicaCount) }}
    - {{ $etcd }}-{{ $member }}.{{ $etcd }}-headless.{{ $.Release.Namespace }}.svc.{{ $.Values.etcd.clusterDomain }}:{{ $.Values.etcd.service.port }}
    {{- end }}
metastore:
  type: etcd
minio:
  {{- if .Values.externalS3.enabled }}
  {{- with .Values.externalS3 }}
  address: {{ .host }}
  port: {{ .port }}
  accessKeyID: {{ .accessKey }}
  secretAccessKey: {{ .secretKey }}
  useSSL: {{ .useSSL }}
  bucketName: {{ .bucketName }}
  rootPath: {{ .rootPath }}
  useIAM: {{ .useIAM }}
  cloudProvider: {{ .cloudProvider }}
  iamEndpoint: {{ .iamEndpoint }}
  region: {{ .region }}
  useVirtualHost: {{ .useVirtualHost }}
  {{- end }}
  {{- else }}
  address: {{ include "milvus.dependency" (list .Release.Name .Values.minio.name) }}
  port: {{ .Values.minio.service.port }}
  accessKeyID: {{ .Values.minio.accessKey }}
  secretAccessKey: {{ .Values.minio.secretKey }}
  useSSL: {{ .Values.minio.tls.enabled }}
  bucketName: {{ .Values.minio.bucketName }}
  rootPath: {{ .Values.minio.rootPath }}
  useIAM: {{ .Values.minio.useIAM }}
  {{- end }}
{{- $queue := "" -}}
{{- if not .Values.cluster.enabled }}{{ $queue = .Values.standalone.messageQueue -}}
{{- else if .Values.woodpecker.enabled }}{{ $queue = "woodpecker" -}}
{{- else if .Values.pulsarv3.enabled }}{{ $queue = "pulsar" -}}
{{- end }}
{{- with $queue }}
mq:
  type: {{ . }}
messageQueue: {{ . }}
{{- end }}
{{- if eq $queue "pulsar" }}
pulsar:
  address: {{ include "milvus.dependency" (list .Release.Name .Values.pulsarv3.name) }}-proxy
{{- end }}
log:
  file:
    maxSize: {{ .Values.log.file.maxSize }}
proxy:
  port: 19530
  internalPort: 19529
{{- end }}
