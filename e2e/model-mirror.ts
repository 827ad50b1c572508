import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { bzip2 } from './bzip2.ts';

const FIXTURES = fileURLToPath(new URL('../libs/testkit/fixtures/models/', import.meta.url));

const FIRST_BYTES = 10_000;

export interface ModelMirror {
  readonly url: string;
  /** What was asked for, in order. */
  readonly requests: readonly string[];
  serve(path: string, body: Buffer): void;
  /** Until then only the first bytes of each file are sent. */
  release(): void;
  close(): Promise<void>;
}

/** A server that has what is served on it and nothing else, and is slow until it is told not to be. */
export async function startModelMirror(): Promise<ModelMirror> {
  const files = new Map<string, Buffer>();
  const requests: string[] = [];
  let release = (): void => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const server = createServer(({ url = '' }, response) => {
    requests.push(url);
    const body = files.get(url);
    if (body === undefined) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'content-length': body.length }).write(body.subarray(0, FIRST_BYTES));
    void released.then(() => response.end(body.subarray(FIRST_BYTES)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    serve: (path, body) => void files.set(path, body),
    release: () => release(),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** A model of the fixtures packed as models are published: a folder of that name in a tar.bz2. */
export function packModel(fixture: string, name: string): Buffer {
  const parts: Uint8Array[] = [];
  for (const file of readdirSync(`${FIXTURES}${fixture}`)) {
    const contents = readFileSync(`${FIXTURES}${fixture}/${file}`);
    parts.push(tarHeader(`${name}/${file}`, contents.length), contents, Buffer.alloc(-contents.length & 511));
  }
  return bzip2(Buffer.concat([...parts, Buffer.alloc(1024)]));
}

function tarHeader(path: string, sizeBytes: number): Buffer {
  const header = Buffer.alloc(512);
  header.write(path, 0);
  header.write('0000644\0', 100);
  header.write(`${sizeBytes.toString(8).padStart(11, '0')}\0`, 124);
  header.write('00000000000\0', 136);
  header.write('        0', 148);
  header.write('ustar\u000000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}
