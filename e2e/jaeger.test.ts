import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, startRedis, startScriptedLlm, startScriptedTts, startSystem, waitUntil } from '@parley/testkit';
import { afterEach, expect, it } from 'vitest';
import { User } from './user.ts';

/** Jaeger 2, which is an OpenTelemetry Collector too. */
const JAEGER = process.env.PARLEY_TEST_JAEGER ?? 'jaeger';
const hasJaeger = spawnSync(JAEGER, ['version']).status === 0;

interface JaegerTrace {
  readonly processes: Readonly<Record<string, { readonly serviceName: string }>>;
  readonly spans: readonly {
    readonly spanID: string;
    readonly operationName: string;
    readonly processID: string;
    readonly references: readonly { readonly spanID: string }[];
  }[];
}

const releases: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const release of releases.splice(0).reverse()) await release();
});

/** Starts it with everything in memory. */
async function startJaeger(): Promise<{ otlp: string; api: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'parley-jaeger-'));
  const [otlp, http, grpc] = [await freePort(), await freePort(), await freePort()].map((port) => `127.0.0.1:${port}`);
  const config = {
    service: {
      extensions: ['jaeger_storage', 'jaeger_query'],
      pipelines: { traces: { receivers: ['otlp'], processors: ['batch'], exporters: ['jaeger_storage_exporter'] } },
      telemetry: { metrics: { level: 'none' } },
    },
    extensions: {
      jaeger_storage: { backends: { memory: { memory: { max_traces: 1_000 } } } },
      jaeger_query: { storage: { traces: 'memory' }, http: { endpoint: http }, grpc: { endpoint: grpc } },
    },
    receivers: { otlp: { protocols: { http: { endpoint: otlp } } } },
    processors: { batch: {} },
    exporters: { jaeger_storage_exporter: { trace_storage: 'memory' } },
  };
  // JSON is YAML.
  writeFileSync(join(folder, 'config.yaml'), JSON.stringify(config));
  const child: ChildProcess = spawn(JAEGER, ['--config', join(folder, 'config.yaml')], { stdio: 'ignore' });
  releases.push(async () => {
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    await exited;
    rmSync(folder, { recursive: true, force: true });
  });
  const answers = () =>
    fetch(`http://${http}/api/services`).then(
      ({ ok }) => ok,
      () => false,
    );
  await waitUntil(answers, 20_000, 'Jaeger did not start');
  return { otlp: `http://${otlp}`, api: `http://${http}/api` };
}

it.skipIf(!hasJaeger)(
  'a real collector takes the trace of a turn whole (needs Jaeger 2: PARLEY_TEST_JAEGER)',
  async () => {
    const { otlp, api } = await startJaeger();
    const redis = await startRedis();
    releases.push(() => redis.stop());
    const llm = await startScriptedLlm({ tokensPerSecond: 40, firstTokenMs: 20, script: () => 'Here you are.' });
    releases.push(() => llm.close());
    const tts = await startScriptedTts({ firstByteMs: 20, realTimeFactor: 0.2 });
    releases.push(() => tts.close());
    const system = await startSystem({
      redisUrl: redis.url,
      env: {
        OTEL_EXPORTER_OTLP_ENDPOINT: otlp,
        PARLEY_LLM_BASE_URL: llm.url,
        PARLEY_STT_ENGINE: 'pocketsphinx',
        PARLEY_TTS_ENGINE: 'openai',
        PARLEY_TTS_BASE_URL: tts.url,
      },
    });
    releases.push(() => system.stop());
    const user = await User.connect(system.urls);
    releases.push(() => user.leave());
    user.session.sendText('Tell me.');
    await user.answered(1);

    const found = async (): Promise<JaegerTrace | undefined> => {
      const response = await fetch(`${api}/traces?service=gateway`);
      const { data } = (await response.json()) as { data?: JaegerTrace[] };
      return data?.find(({ spans }) => ['turn', 'reply', 'speak'].every((name) => spanNames(spans).includes(name)));
    };
    await waitUntil(async () => (await found()) !== undefined, 20_000, 'the trace did not arrive');
    const trace = await found();
    if (!trace) throw new Error('unreachable');
    const known = new Set(trace.spans.map(({ spanID }) => spanID));
    const roots = trace.spans.filter(({ references }) => references.length === 0);
    expect(spanNames(roots)).toEqual(['turn']);
    for (const { operationName, references } of trace.spans) {
      for (const { spanID } of references) expect(known, `parent of ${operationName}`).toContain(spanID);
    }
    const services = new Set(Object.values(trace.processes).map(({ serviceName }) => serviceName));
    expect([...services].toSorted()).toEqual(['gateway', 'llm-worker', 'tts-worker']);
  },
);

const spanNames = (spans: JaegerTrace['spans']): string[] => spans.map(({ operationName }) => operationName);
