# One image for every service, for the migrations and for the command line: `chuishao …`.

FROM node:24-slim AS pages
WORKDIR /web
COPY web/package.json web/package-lock.json web/.npmrc ./
RUN npm ci --omit=dev
COPY web/index.html web/vite.config.ts ./
COPY web/public public
COPY web/src src
RUN npm run build -- --logLevel=error

FROM python:3.11-slim AS program
WORKDIR /source
COPY requirements-uv.lock requirements-server.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements-uv.lock \
    && uv venv /opt/chuishao \
    && uv pip install --no-cache --compile-bytecode --python /opt/chuishao --require-hashes -r requirements-server.lock
COPY pyproject.toml README.md LICENSE ./
COPY chuishao chuishao
COPY services services
COPY shared shared
COPY sandbox sandbox
RUN uv pip install --no-cache --compile-bytecode --python /opt/chuishao --no-deps --no-build-isolation .

FROM python:3.11-slim
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin chuishao \
    && install --directory --owner=10001 --group=10001 /photos
COPY --from=program /opt/chuishao /opt/chuishao
COPY --from=pages /web/dist /opt/chuishao/lib/python3.11/site-packages/web/dist
ENV PATH=/opt/chuishao/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    CHUISHAO_HOST=0.0.0.0
USER 10001:10001
EXPOSE 8000
ENTRYPOINT ["chuishao"]
