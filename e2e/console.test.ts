import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { StartedSystem } from './started-system.ts';
import { textOf } from './user.ts';

const TALK = fileURLToPath(new URL('../tools/talk/main.ts', import.meta.url));
const recording = (name: string): string =>
  fileURLToPath(new URL(`../libs/testkit/fixtures/speech/${name}.wav`, import.meta.url));

/** A line of `npm run talk -- --json`. */
interface Line {
  readonly type: string;
  readonly generation?: number;
  readonly turn?: number;
  readonly heard?: string;
}

interface Summary {
  readonly turns: readonly {
    readonly turn: number;
    readonly transcript: string;
    readonly reply: string;
    readonly heard: string;
    readonly heardMs: number;
    readonly interruptedAtMs: number | null;
    readonly silentAtMs: number | null;
  }[];
}

describe('a conversation at the console, with what a machine has without a network', () => {
  let dataDir: string;
  let system: StartedSystem;

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'parley-console-'));
    system = await StartedSystem.launch(dataDir, {}, ['--offline']);
    await system.printed(/Ready in/);
  });
  afterAll(async () => {
    await system?.stop();
    await rm(dataDir, { recursive: true, force: true });
  });

  async function talk(...args: string[]): Promise<{ code: unknown; lines: Line[]; summary: Summary; why: string }> {
    const url = system.urls[0]?.replace('/v1/session', '') ?? '';
    const child = spawn(process.execPath, [TALK, ...args, '--json', '--url', url], { stdio: 'pipe' });
    let [printed, why] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (why += text));
    const [code] = await once(child, 'close');
    const lines = printed
      .split('\n')
      .filter((line) => line !== '')
      .map((line): unknown => JSON.parse(line));
    return { code, lines: lines as Line[], summary: lines.at(-1) as Summary, why };
  }

  it('is interrupted by a second recording: the answer stops, what was heard of it is told, and the second is answered', async () => {
    const { code, lines, summary, why } = await talk(
      ...[recording('slt-01'), '--interrupt', recording('slt-02'), '--after', '1500'],
    );
    expect(why).toBe('');
    expect(code).toBe(0);
    const [asked, cutIn] = summary.turns;
    expect(summary.turns).toHaveLength(2);
    expect(asked?.transcript).toBe(textOf('slt-01'));

    const stops = lines.filter(({ type }) => type === 'audio.stop');
    expect(stops).toHaveLength(1);
    const generation = stops[0]?.generation ?? 0;
    const after = lines.slice(lines.findIndex(({ type }) => type === 'audio.stop'));
    expect(after.filter(({ type }) => type === 'audio').every((line) => (line.generation ?? 0) >= generation)).toBe(
      true,
    );
    expect(lines.findIndex(({ type }) => type === 'audio.duck')).toBeLessThan(lines.length - after.length);

    const { heard = '' } = lines.find(({ type }) => type === 'reply.truncated') ?? {};
    expect(heard).not.toBe('');
    expect(asked?.heard).toBe(heard);
    expect(asked?.reply.startsWith(heard)).toBe(true);
    expect(heard.length).toBeLessThan(asked?.reply.length ?? 0);
    expect(asked?.silentAtMs).toBeGreaterThan(asked?.interruptedAtMs ?? Number.POSITIVE_INFINITY);

    expect(cutIn?.transcript).toMatch(/seventeen minutes$/);
    expect(cutIn?.reply).not.toBe('');
    expect(cutIn?.heard).toBe(cutIn?.reply);
    expect(cutIn?.heardMs).toBeGreaterThan(500);
  });
});
