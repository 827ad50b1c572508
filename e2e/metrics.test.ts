import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import {
  type ScriptedLlm,
  type ScriptedTts,
  type System,
  startRedis,
  startScriptedLlm,
  startScriptedTts,
  startSystem,
  type TestRedis,
  waitUntil,
} from '@parley/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasPrometheus, Prometheus } from './prometheus.ts';
import { speech, User } from './user.ts';

/** Its table is written by `PARLEY_WRITE_DOCS=1 npm test -- e2e/metrics.test.ts`. */
const PAGE = new URL('../docs/metrics.md', import.meta.url);
const TABLE_BEGIN = '<!-- table of metrics -->\n';
const DASHBOARDS = new URL('../infra/grafana/dashboards/', import.meta.url);
const EMPTY_WHEN_HEALTHY = / Empty while all is well: /;
const LOAD_MS = 30_000;

interface Metric {
  readonly name: string;
  readonly kind: string;
  readonly help: string;
  readonly services: readonly string[];
}

interface Dashboard {
  readonly panels: readonly {
    readonly title: string;
    readonly description?: string;
    readonly targets?: readonly { readonly expr: string }[];
  }[];
}

describe('the metrics of a system', () => {
  let redis: TestRedis;
  let llm: ScriptedLlm;
  let tts: ScriptedTts;
  let system: System;
  let prometheus: Prometheus | undefined;
  const users: User[] = [];

  beforeAll(async () => {
    redis = await startRedis();
    llm = await startScriptedLlm({ tokensPerSecond: 40, firstTokenMs: 40 });
    tts = await startScriptedTts({ firstByteMs: 40, realTimeFactor: 0.2 });
    system = await startSystem({
      redisUrl: redis.url,
      env: {
        PARLEY_LLM_BASE_URL: llm.url,
        PARLEY_STT_ENGINE: 'pocketsphinx',
        PARLEY_TTS_ENGINE: 'openai',
        PARLEY_TTS_BASE_URL: tts.url,
        // What is said again is to come from the engine again, or its panels would be empty.
        PARLEY_TTS_CACHE_MB: '0',
      },
    });
    if (!hasPrometheus) return;
    const jobs: Record<string, string[]> = {};
    for (const { app, metricsUrl } of system.processes) jobs[app] = [...(jobs[app] ?? []), metricsUrl];
    prometheus = await Prometheus.start(jobs);
  });

  afterAll(async () => {
    await Promise.all(users.map((user) => user.leave()));
    await prometheus?.stop();
    await system?.stop();
    await Promise.all([llm?.close(), tts?.close()]);
    await redis?.stop();
  });

  it('are described, each and no others, in docs/metrics.md', async () => {
    const page = readFileSync(PAGE, 'utf8');
    const [head = '', table = ''] = page.split(TABLE_BEGIN);
    const rows = tableOf(await metricsOf(system));
    if (process.env.PARLEY_WRITE_DOCS) writeFileSync(PAGE, `${head}${TABLE_BEGIN}${rows}`);
    else expect(table).toBe(rows);
  });

  it.skipIf(!hasPrometheus)(
    'answer every query of the dashboards while people talk (needs prometheus on the PATH)',
    async () => {
      await Promise.all(
        Array.from({ length: 3 }, async (_, index) => {
          const user = await User.connect(system.urls, { speculation: false });
          users.push(user);
          await converse(user, index === 0);
        }),
      );
      const silent: string[] = [];
      for (const { title, description = '', targets = [] } of readDashboards().flatMap(({ panels }) => panels)) {
        for (const { expr } of targets) {
          const points = (await prometheus?.points(expr)) ?? 0;
          if (points === 0 && !EMPTY_WHEN_HEALTHY.test(description)) silent.push(`${title}: ${expr}`);
        }
      }
      expect(silent).toEqual([]);
    },
  );

  it('have every name that a dashboard asks for', async () => {
    const known = new Set((await metricsOf(system)).map(({ name }) => name));
    const asked = readDashboards().flatMap(({ panels }) =>
      panels.flatMap(({ targets = [] }) => targets.flatMap(({ expr }) => expr.match(/parley_\w+/g) ?? [])),
    );
    expect(asked.length).toBeGreaterThan(20);
    const isKnown = (name: string) => known.has(name) || known.has(name.replace(/_(bucket|sum|count)$/, ''));
    expect(asked.filter((name) => !isKnown(name))).toEqual([]);
  });

  /** Spoken questions, one after the other; an impatient one interrupts the answers. */
  async function converse(user: User, impatient: boolean): Promise<void> {
    const question = await speech('slt-01');
    const endAtMs = performance.now() + LOAD_MS;
    for (let turn = 1; performance.now() < endAtMs; turn += 1) {
      await user.say(question);
      if (!impatient) {
        await user.answered(turn);
        continue;
      }
      await user.played(turn, 300);
      user.session.interrupt();
      const ofTurn = (event: { type: string; turn?: number }) => event.turn === turn;
      await waitUntil(
        () =>
          user.events.some(
            (event) => (event.type === 'reply.truncated' || event.type === 'reply.cancelled') && ofTurn(event),
          ),
        10_000,
      );
    }
  }
});

const readDashboards = (): Dashboard[] =>
  readdirSync(DASHBOARDS).map((file) => JSON.parse(readFileSync(new URL(file, DASHBOARDS), 'utf8')) as Dashboard);

/** Parley's own metrics, from what the processes show. */
async function metricsOf(system: System): Promise<Metric[]> {
  const metrics = new Map<string, Metric>();
  for (const { app, metricsUrl } of system.processes) {
    const text = await (await fetch(metricsUrl)).text();
    const kinds = new Map([...text.matchAll(/^# TYPE (parley_\w+) (\w+)$/gm)].map(([, name, kind]) => [name, kind]));
    for (const [, name = '', help = ''] of text.matchAll(/^# HELP (parley_\w+) (.*)$/gm)) {
      const services = [...(metrics.get(name)?.services ?? []), app];
      metrics.set(name, { name, kind: kinds.get(name) ?? '', help, services: [...new Set(services)] });
    }
  }
  return [...metrics.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function tableOf(metrics: readonly Metric[]): string {
  const where = (services: readonly string[]) => (services.length === 4 ? 'all' : services.join(', '));
  const rows = metrics.map(
    ({ name, kind, help, services }) => `| \`${name}\` | ${kind} | ${where(services)} | ${help.replace(/\.$/, '')} |\n`,
  );
  return `\n| Metric | Kind | Shown by | Meaning |\n| --- | --- | --- | --- |\n${rows.join('')}`;
}
