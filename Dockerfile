# The console and one worker under one command. PostgreSQL stands beside it: see compose.yaml.
#
#   docker build -t redrive .
#
# tests/container runs these very steps without an engine, so keep to one command a RUN, joined by &&.
ARG PYTHON=3.11-slim-bookworm

# What is installed, with every hash checked; pip and its cache stay behind in this stage.
FROM python:${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements-service.lock /build/
RUN python -m venv --without-pip /opt/venv \
 && python -m pip --python /opt/venv install --quiet --no-cache-dir --require-hashes --no-deps --only-binary :all: --no-compile -r /build/requirements-service.lock \
 && echo /app > /opt/venv/lib/python3.11/site-packages/redrive.pth
COPY console /app/console
COPY deadletter /app/deadletter
COPY migrations /app/migrations
COPY templates /app/templates
COPY worker /app/worker
RUN printf '#!/opt/venv/bin/python\nimport sys\nfrom console.cli import main\nsys.exit(main())\n' > /opt/venv/bin/redrive \
 && chmod 755 /opt/venv/bin/redrive \
 && /opt/venv/bin/python -m compileall -q -j 0 /app /opt/venv/lib

FROM python:${PYTHON}
# A number, so that an orchestrator can see that it is not root's.
RUN groupadd --gid 10001 redrive && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data redrive \
 && install -d -o 10001 -g 10001 -m 0700 /data
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
# Nothing is ever written but below /data: run it with --read-only.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    REDRIVE_DATA_DIR=/data \
    REDRIVE_PORT=8080
VOLUME /data
WORKDIR /app
USER 10001:10001
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 CMD ["redrive", "ready"]
ENTRYPOINT ["redrive"]
CMD ["up"]
