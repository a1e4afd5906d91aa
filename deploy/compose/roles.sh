#!/bin/sh
# Run by the Postgres image when its volume is new: the role that the orchestrator logs in as. The rest of what a
# Supabase project has is made by `rookify migrate --bootstrap`.
set -eu
psql --set ON_ERROR_STOP=1 --set password="$ROOKIFY_DB_PASSWORD" --username postgres <<'SQL'
create role authenticator login noinherit password :'password';
SQL
