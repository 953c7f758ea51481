#!/bin/sh
# Writes .env (or the file that is named) for compose.yaml, with new secrets. One that exists is left alone: with other
# passwords the volumes that there are would be closed.
set -eu
umask 077
set -C # a file that is there is not written over
exec > "${1:-.env}"

# Letters and digits: they become part of URLs.
secret() { head -c 512 /dev/urandom | LC_ALL=C tr -dc 'A-Za-z0-9' | head -c 32; }
# 32 bytes in url-safe base64.
fernet_key() { head -c 32 /dev/urandom | base64 | tr '+/' '-_'; }

for name in POSTGRES_PASSWORD ADMIN_PASSWORD APP_PASSWORD VALKEY_PASSWORD FLOWER_PASSWORD OPS_TOKEN; do
    printf '%s=%s\n' "$name" "$(secret)"
done
printf 'ENCRYPTION_KEYS=%s\n' "$(fernet_key)"
cat <<'END'

# Settings are in docs/settings.md; a model for the answers, for example:
# LLM_BASE_URL=https://…/v1
# LLM_API_KEY=
# LLM_MODEL=

# Images by digest, so that what runs tomorrow is what ran today. `docker buildx imagetools inspect IMAGE` shows the digest
# of a tag. These are the tags that compose.yaml has, without digests: put @sha256:… behind each.
# PYTHON_IMAGE=python:3.11-slim
# DEBIAN_IMAGE=debian:bookworm-slim
# POSTGRES_IMAGE=pgvector/pgvector:pg18
# VALKEY_IMAGE=valkey/valkey:9.1
# HAPROXY_IMAGE=haproxy:2.6
# PROMETHEUS_IMAGE=prom/prometheus:v3.5.0
END
