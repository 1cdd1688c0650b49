{{- define "chuishao.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "chuishao.image" -}}
image: {{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- end }}

{{/* Every deployment as NAME ROLE REPLICAS, the sandbox only where messages stay in the house. */}}
{{- define "chuishao.processes" -}}
{{- range $name, $roles := .Values.services }}
- {name: {{ $name }}, role: api, replicas: {{ $roles.api }}}
- {name: {{ $name }}, role: worker, replicas: {{ $roles.worker }}}
{{- end }}
{{- if eq .Values.providers.mode "sandbox" }}
- {name: sandbox, role: all, replicas: 1}
{{- end }}
{{- end }}

{{/* Settings of one process. Secrets are files, never variables. */}}
{{- define "chuishao.environment" -}}
{{- $release := .root.Release.Name -}}
{{- $values := .root.Values -}}
{{- if eq .name "migrate" }}
- {name: CHUISHAO_POSTGRES_FILE, value: /run/secrets/postgres_url}
- {name: CHUISHAO_POLICY, value: {{ $values.policy | quote }}}
- {name: CHUISHAO_DISTRICT, value: {{ $values.district | quote }}}
{{- else }}
- {name: CHUISHAO_POSTGRES, value: {{ $values.postgres.url | quote }}}
{{- end }}
- {name: CHUISHAO_KAFKA, value: {{ $values.kafka.bootstrap | quote }}}
- {name: CHUISHAO_MASTER_KEY_FILE, value: /run/secrets/master_key}
- {name: CHUISHAO_PROVIDERS, value: {{ $values.providers.mode }}}
- {name: CHUISHAO_LOG_LEVEL, value: {{ $values.logLevel }}}
{{- if eq .name "sandbox" }}
- {name: CHUISHAO_PUBLIC_URL, value: {{ printf "http://%s-notify-api:8000" $release | quote }}}
{{- else }}
- {name: CHUISHAO_PUBLIC_URL, value: {{ $values.publicUrl | quote }}}
{{- end }}
{{- if and (eq .name "intake") $values.photos.url }}
- {name: CHUISHAO_PHOTOS, value: {{ $values.photos.url | quote }}}
- {name: CHUISHAO_S3_ENDPOINT, value: {{ $values.photos.endpoint | quote }}}
- {name: CHUISHAO_S3_REGION, value: {{ $values.photos.region | quote }}}
- {name: CHUISHAO_S3_ACCESS_KEY_ID, value: {{ $values.photos.accessKeyId | quote }}}
- {name: CHUISHAO_S3_SECRET_ACCESS_KEY_FILE, value: /run/secrets/s3_secret_access_key}
{{- end }}
{{- if has .name (list "notify" "sandbox") }}
- {name: CHUISHAO_SANDBOX_URL, value: {{ printf "http://%s-sandbox-api:8000/sandbox" $release | quote }}}
{{- range $setting, $value := $values.providers.settings }}
- {name: {{ $setting }}, value: {{ $value | quote }}}
{{- end }}
{{- if eq $values.providers.mode "real" }}
{{- range list "sms_access_key_secret" "wechat_secret" "wechat_token" "wecom_secret" "wecom_token" "wecom_aes_key" }}
- {name: {{ printf "CHUISHAO_%s_FILE" (upper .) }}, value: {{ printf "/run/secrets/%s" . }}}
{{- end }}
{{- end }}
{{- end }}
{{- range $setting, $value := $values.settings }}
- {name: {{ $setting }}, value: {{ $value | quote }}}
{{- end }}
{{- end }}

{{- define "chuishao.secrets" -}}
- secret:
    name: {{ .root.Values.masterKey.name }}
    items: [{key: {{ .root.Values.masterKey.key }}, path: master_key}]
{{- if eq .name "migrate" }}
- secret:
    name: {{ .root.Values.postgres.ownerSecret.name }}
    items: [{key: {{ .root.Values.postgres.ownerSecret.key }}, path: postgres_url}]
{{- end }}
{{- if and (eq .name "intake") .root.Values.photos.url }}
- secret:
    name: {{ .root.Values.photos.secret.name }}
    items: [{key: {{ .root.Values.photos.secret.key }}, path: s3_secret_access_key}]
{{- end }}
{{- if and (eq .name "notify") (eq .root.Values.providers.mode "real") }}
- secret: {name: {{ .root.Values.providers.secret }}}
{{- end }}
{{- end }}

{{/* What every pod has in common. */}}
{{- define "chuishao.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets: {{ toJson . }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
volumes:
  - name: secrets
    projected:
      defaultMode: 0440
      sources: {{- include "chuishao.secrets" . | nindent 8 }}
  - name: tmp
    emptyDir: {sizeLimit: 64Mi}
{{- end }}

{{- define "chuishao.container" -}}
{{ include "chuishao.image" .root }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
resources: {{ toJson .root.Values.resources }}
volumeMounts:
  - {name: secrets, mountPath: /run/secrets, readOnly: true}
  - {name: tmp, mountPath: /tmp}
{{- end }}
