#!/bin/sh
# The image of PostgreSQL runs this once, on an empty volume: the owner of our database, who is no superuser. The password
# is the one in the address that the migrations use.
set -eu
OWNER_PASSWORD=$(sed -E 's|^[^:]*://chuishao:([^@]*)@.*$|\1|' "$CHUISHAO_POSTGRES_FILE")
export OWNER_PASSWORD
psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\getenv password OWNER_PASSWORD
CREATE ROLE chuishao LOGIN CREATEROLE PASSWORD :'password';
CREATE DATABASE chuishao OWNER chuishao;
SQL
