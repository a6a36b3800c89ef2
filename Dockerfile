# CLIP-SENet Service with the embedded PostgreSQL, its data in the volume /data.
#   docker build -t clip-senet-service .
#   docker run --name clip-senet --init --stop-timeout 45 -p 127.0.0.1:8000:8000 -v clip-senet:/data clip-senet-service
# A container listens beyond loopback, so requests need an API key. The first one, while it runs:
#   docker exec clip-senet clip-senet keys create operations --scope admin
FROM python:3.12-slim AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY service service
COPY model model
COPY index index
COPY migrations migrations
RUN python -m venv /opt/clip-senet \
    && /opt/clip-senet/bin/pip install --no-cache-dir --constraint constraints.txt .

FROM python:3.12-slim
# PostgreSQL of the embedded mode refuses to run as root, and a service has no business being root.
RUN useradd --create-home --uid 10001 clip-senet \
    && install --directory --owner clip-senet /data
COPY --from=build /opt/clip-senet /opt/clip-senet
ENV PATH=/opt/clip-senet/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    CLIP_SENET_HOST=0.0.0.0 \
    CLIP_SENET_PORT=8000 \
    CLIP_SENET_DATA_DIR=/data
USER clip-senet
VOLUME /data
EXPOSE 8000
# Readiness is a real forward pass and a database query, so a container that cannot answer is seen as such.
HEALTHCHECK --interval=30s --timeout=10s --start-period=120s \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"CLIP_SENET_PORT\"]}/readyz', timeout=8)"]
CMD ["clip-senet", "serve"]
