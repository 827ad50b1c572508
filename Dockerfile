# One image for all four services; the command says which: node apps/<service>/src/main.ts

FROM node:22-bookworm-slim AS install
WORKDIR /parley
# Its install script would fetch a CUDA build that nothing here uses.
ENV ONNXRUNTIME_NODE_INSTALL=skip
COPY package.json package-lock.json .npmrc ./
COPY apps apps
COPY libs libs
# The npm package `node` is for machines without Node 22; this image has it.
RUN npm ci --omit=dev && npm cache clean --force && rm -rf node_modules/node node_modules/.bin/node

FROM node:22-bookworm-slim
# The offline engines.
RUN apt-get update \
  && apt-get install --yes --no-install-recommends flite libpocketsphinx3 pocketsphinx-en-us \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /parley
ENV NODE_ENV=production
COPY --from=install /parley ./
USER node
# The gateway; the compose file and the manifests name the others.
CMD ["node", "apps/gateway/src/main.ts"]
