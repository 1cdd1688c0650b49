#!/bin/sh
# Makes the secrets that nobody has to choose, once, in ./secrets (or the folder given): what is there is left alone.
# Credentials of the providers of messages are empty files, to be filled in by whoever has them.
set -eu
umask 077
folder=${1:-secrets}
mkdir -p "$folder"
random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }
make() {
	[ -e "$folder/$1" ] || printf '%s\n' "$2" >"$folder/$1"
	# Containers read it under their own account; the folder keeps everybody else out.
	chmod 0444 "$folder/$1"
}
make master_key "$(random)"
make postgres_password "$(random)"
make postgres_url "postgresql+asyncpg://chuishao:$(random)@postgres:5432/chuishao"
for name in sms_access_key_secret wechat_secret wechat_token wecom_secret wecom_token wecom_aes_key; do
	make "$name" ''
done
