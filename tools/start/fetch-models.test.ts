import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@parley/runtime';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fetchModels } from './fetch-models.ts';
import { ModelStock } from './model-stock.ts';
import { createOutput } from './output.ts';
import { wantedModels } from './wanted-models.ts';

let server: Server;
let dir = '';
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'parley-fetch-'));
  server = createServer((_request, response) => response.writeHead(404).end()).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await rm(dir, { recursive: true });
});

test('each model that cannot be had is told in one line, and no worker is replaced', async () => {
  const { port } = server.address() as AddressInfo;
  const places = { dir, source: { kind: 'mirror', baseUrl: `http://127.0.0.1:${port}` } } as const;
  const stock = await ModelStock.take(wantedModels({}).models, places);
  let text = '';
  const write = (more: string): void => {
    text += more;
  };
  const arrived: string[] = [];
  await fetchModels(stock, {
    places,
    clock: systemClock,
    output: createOutput({ write, colour: false, nameWidth: 1, columns: () => 80 }),
    hasStatus: true,
    signal: new AbortController().signal,
    onArrived: async (stage) => void arrived.push(stage),
  });
  const lines = text.match(/Not fetched: .*/g) ?? [];
  expect(lines).toHaveLength(stock.wanted.length);
  for (const line of lines) expect(line).toMatch(/is not there \(404\).*The mirror lacks this file/);
  expect(arrived).toEqual([]);
  expect(stock.environment('stt')).toEqual({});
});
