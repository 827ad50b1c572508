import { afterEach, expect, test } from 'vitest';
import { type HealthServer, type Readiness, startHealthServer } from './health.ts';
import { createMetrics } from './metrics.ts';

let server: HealthServer | undefined;
afterEach(() => server?.close());

async function start(readiness: () => Promise<Readiness>) {
  const metrics = createMetrics({ processMetrics: false });
  server = await startHealthServer({ host: '127.0.0.1', port: 0, metrics, readiness });
  const base = `http://127.0.0.1:${server.port}`;
  return { metrics, get: (path: string, init?: RequestInit) => fetch(base + path, init) };
}

test('is alive from the start, and ready when the check says so', async () => {
  let ready = false;
  const { get } = await start(async () => ({ ready, reasons: ready ? [] : ['no model yet'] }));
  expect((await get('/healthz')).status).toBe(200);
  const early = await get('/readyz');
  expect(early.status).toBe(503);
  expect(await early.json()).toEqual({ ready: false, reasons: ['no model yet'] });
  ready = true;
  expect((await get('/readyz')).status).toBe(200);
});

test('a check that throws is a reason, not a crash', async () => {
  const { get } = await start(() => Promise.reject(new Error('Redis does not answer')));
  expect(await (await get('/readyz')).json()).toEqual({ ready: false, reasons: ['Redis does not answer'] });
});

test('serves metrics, and an error when collecting them fails', async () => {
  const { get, metrics } = await start(async () => ({ ready: true, reasons: [] }));
  metrics.counter({ name: 'parley_turns_total', help: 'Turns.' }).inc();
  const response = await get('/metrics');
  expect(response.headers.get('content-type')).toContain('text/plain');
  expect(await response.text()).toContain('parley_turns_total 1');
  metrics.gauge({ name: 'parley_broken', help: 'Throws.', collect: () => Promise.reject(new Error('broken')) });
  expect((await get('/metrics')).status).toBe(500);
  expect((await get('/healthz')).status).toBe(200);
});

test('refuses other methods and unknown paths', async () => {
  const { get } = await start(async () => ({ ready: true, reasons: [] }));
  expect((await get('/healthz', { method: 'POST' })).status).toBe(405);
  expect((await get('/nothing')).status).toBe(404);
});

test('a port in use is reported', async () => {
  await start(async () => ({ ready: true, reasons: [] }));
  const metrics = createMetrics({ processMetrics: false });
  const readiness = async () => ({ ready: true, reasons: [] });
  const again = startHealthServer({ host: '127.0.0.1', port: server?.port ?? 0, metrics, readiness });
  await expect(again).rejects.toThrow('EADDRINUSE');
});
