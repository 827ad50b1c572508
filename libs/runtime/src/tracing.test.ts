import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { z } from 'zod';
import { Closer } from './closer.ts';
import { inject, newTrace, recordSpan, startSpan, startTracing, withSpan } from './tracing.ts';

let closer = new Closer();
afterEach(async () => {
  await closer.close();
  closer = new Closer();
});

const exported = z.object({
  resourceSpans: z.array(
    z.object({
      scopeSpans: z.array(
        z.object({
          spans: z.array(
            z.looseObject({
              name: z.string(),
              traceId: z.string(),
              spanId: z.string(),
              parentSpanId: z.string().optional(),
              startTimeUnixNano: z.string(),
              endTimeUnixNano: z.string(),
            }),
          ),
        }),
      ),
    }),
  ),
});
type ExportedSpan = z.infer<typeof exported>['resourceSpans'][number]['scopeSpans'][number]['spans'][number];

/** A collector that keeps what it is sent. */
async function startCollector(): Promise<{ endpoint: string; spans: ExportedSpan[] }> {
  const spans: ExportedSpan[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = exported.parse(JSON.parse(Buffer.concat(chunks).toString()));
      spans.push(...body.resourceSpans.flatMap((resource) => resource.scopeSpans.flatMap((scope) => scope.spans)));
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closer.defer('collector', () => {
    server.closeAllConnections();
    server.close();
  });
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, spans };
}

const TRACEPARENT = /^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/;
const idOf = (traceparent: string | undefined): string | undefined => traceparent?.split('-')[1];

test('without a collector spans are not recorded, yet their context travels', async () => {
  const tracing = startTracing({ service: 'test', instance: 'one' });
  closer.defer('tracing', () => tracing.shutdown());
  expect(inject()).toBeUndefined();
  let passedOn: string | undefined;
  await withSpan('outer', {}, async (outer) => {
    expect(outer.traceparent).toMatch(TRACEPARENT);
    await Promise.resolve();
    passedOn = inject();
    expect(passedOn).toBe(outer.traceparent);
    await withSpan('inner', {}, (inner) => {
      expect(idOf(inner.traceparent)).toBe(idOf(outer.traceparent));
      expect(inner.traceparent).not.toBe(outer.traceparent);
    });
  });
  const elsewhere = startSpan('elsewhere', { parent: passedOn });
  expect(idOf(elsewhere.traceparent)).toBe(idOf(passedOn));
  elsewhere.end();
  expect(tracing.exporting).toBe(false);
});

test('a malformed parent begins a new trace', async () => {
  const tracing = startTracing({ service: 'test', instance: 'one' });
  closer.defer('tracing', () => tracing.shutdown());
  expect(startSpan('work', { parent: 'nonsense' }).traceparent).toMatch(TRACEPARENT);
});

test('with a collector, shutdown sends the spans, joined across a hop, failures by name only', async () => {
  const collector = await startCollector();
  const tracing = startTracing({ service: 'test', instance: 'one', endpoint: collector.endpoint });
  closer.defer('tracing', () => tracing.shutdown());
  const producer = startSpan('produce', { kind: 'producer', attributes: { stage: 'reply' } });
  producer.end();
  const consuming = withSpan('consume', { parent: producer.traceparent, kind: 'consumer' }, () => {
    throw new TypeError('the user said hello');
  });
  await expect(consuming).rejects.toThrow('hello');
  await tracing.shutdown();
  const [produced, consumed] = collector.spans;
  expect([produced?.name, consumed?.name]).toEqual(['produce', 'consume']);
  expect(consumed?.parentSpanId).toBe(produced?.spanId);
  expect(consumed?.traceId).toBe(idOf(producer.traceparent));
  expect(JSON.stringify(consumed)).toContain('TypeError');
  expect(JSON.stringify(consumed)).not.toContain('hello');
});

test('a parent from a process that records nothing does not silence ours', async () => {
  const collector = await startCollector();
  const tracing = startTracing({ service: 'test', instance: 'one', endpoint: collector.endpoint });
  closer.defer('tracing', () => tracing.shutdown());
  startSpan('work', { parent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00' }).end();
  await tracing.shutdown();
  expect(collector.spans[0]?.traceId).toBe('0af7651916cd43dd8448eb211c80319c');
});

test('the root of a trace can be recorded last, with the times of when it was', async () => {
  const collector = await startCollector();
  const tracing = startTracing({ service: 'test', instance: 'one', endpoint: collector.endpoint });
  closer.defer('tracing', () => tracing.shutdown());
  const turn = newTrace();
  recordSpan('listening', { parent: turn, startMs: 1_700_000_000_100.25 }, 1_700_000_000_300);
  const root = startSpan('turn', { ...(turn === undefined ? {} : { root: turn }), startMs: 1_700_000_000_000 });
  expect(root.traceparent).toBe(turn);
  root.end(1_700_000_000_900);
  startSpan('another').end();
  await tracing.shutdown();
  const [listening, whole, another] = collector.spans;
  expect(whole).toMatchObject({ traceId: idOf(turn), startTimeUnixNano: '1700000000000000000' });
  expect(whole?.parentSpanId).toBeUndefined();
  expect(listening?.parentSpanId).toBe(whole?.spanId);
  expect(listening).toMatchObject({
    startTimeUnixNano: '1700000000100250000',
    endTimeUnixNano: '1700000000300000000',
  });
  expect(another?.traceId).not.toBe(whole?.traceId);
});

test('before tracing starts, spans work and carry nothing', async () => {
  expect(await withSpan('work', {}, (span) => span.traceparent)).toBeUndefined();
});
