import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type FileServer, startFileServer } from './testing/file-server.ts';

const RECOGNISER = 'sherpa-onnx-streaming-zipformer-en-kroko-2025-08-06';
const VOICE = 'vits-piper-en_US-ljspeech-medium';
const RECOGNISER_PATH = `/k2-fsa/sherpa-onnx/releases/download/asr-models/${RECOGNISER}.tar.bz2`;
const TURN = 'smart-turn-v3';
const TURN_PATH = '/pipecat-ai/smart-turn-v3/resolve/main/smart-turn-v3.2-cpu.onnx';
const TURN_FILE = '../../libs/testkit/fixtures/models/smart-turn-v3/smart-turn-v3.2-cpu.onnx';
const VOICE_PATH = `/k2-fsa/sherpa-onnx/releases/download/tts-models/${VOICE}.tar.bz2`;

let server: FileServer;
let dir: string;
const children: ChildProcess[] = [];

beforeEach(async () => {
  server = await startFileServer();
  dir = await mkdtemp(join(tmpdir(), 'parley-models-cli-'));
  server.serve(RECOGNISER_PATH, { body: await fixture('transducer') });
  server.serve(VOICE_PATH, { body: await fixture('voice') });
  server.serve(TURN_PATH, { body: await readFile(join(import.meta.dirname, TURN_FILE)), chunkBytes: 1_000_000 });
});

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await server.close();
  await rm(dir, { recursive: true, force: true });
});

function fixture(name: string): Promise<Buffer> {
  return readFile(join(import.meta.dirname, `fixtures/${name}.tar.bz2`));
}

interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(
  args: readonly string[],
  env: Record<string, string> = {},
): ChildProcess & { readonly ended: Promise<Run> } {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts'), ...args], {
    env: { ...process.env, PARLEY_DATA_DIR: dir, PARLEY_MODELS_MIRROR: server.baseUrl, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  const closed = new Promise<number | null>((resolve) => child.on('close', resolve));
  const ended = Promise.all([closed, text(child.stdout), text(child.stderr)]).then(([code, stdout, stderr]) => ({
    code,
    stdout,
    stderr,
  }));
  return Object.assign(child, { ended });
}

function models(...args: string[]): Promise<Run> {
  return start(args).ended;
}

describe('npm run models', () => {
  it('fetches the recommended models, lists, verifies, finds and removes them', async () => {
    const got = await models('get', 'recommended');
    expect(got).toMatchObject({ code: 0, stdout: expect.stringContaining('licence: CC-BY-SA-4.0') });
    expect(got.stdout).toContain('no checksum is published for it');

    const listed = JSON.parse((await models('list', '--json')).stdout) as { name: string; state: string }[];
    expect(listed.filter(({ state }) => state === 'yes').map(({ name }) => name)).toEqual([RECOGNISER, VOICE, TURN]);
    expect((await models('list')).stdout).toContain(`* ${VOICE}`);

    expect(await models('verify')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`${VOICE}: whole, 4 files`),
    });
    const modelDir = join(dir, 'models', VOICE);
    expect(await models('path', VOICE)).toMatchObject({ code: 0, stdout: `${modelDir}\n` });

    await writeFile(join(modelDir, 'tokens.txt'), '_ 0\n^ 1\n$ 3\n');
    const damaged = await models('verify', VOICE);
    expect(damaged).toMatchObject({ code: 1, stderr: expect.stringContaining('tokens.txt has other contents') });

    expect(await models('remove', VOICE)).toMatchObject({ code: 0, stdout: expect.stringContaining('stays noted') });
    expect(existsSync(modelDir)).toBe(false);
    expect(await models('path', VOICE)).toMatchObject({ code: 1, stdout: '' });
  }, 60_000);

  it('stops on Ctrl-C with a part that the next run goes on with', async () => {
    server.serve(RECOGNISER_PATH, { body: await fixture('transducer'), chunkBytes: 2000, pauseMs: 100 });
    const running = start(['get', RECOGNISER]);
    const part = join(dir, 'models/.downloads', `${RECOGNISER}.part`);
    await vi.waitFor(async () => expect((await readFile(part)).length).toBeGreaterThan(4000), { timeout: 10_000 });
    running.kill('SIGINT');
    expect(await running.ended).toMatchObject({ code: 130, stderr: expect.stringContaining('goes on from there') });
    const kept = (await readFile(part)).length;

    server.serve(RECOGNISER_PATH, { body: await fixture('transducer') });
    expect(await models('get', RECOGNISER)).toMatchObject({ code: 0 });
    expect(server.requests.at(-1)).toBe(`${RECOGNISER_PATH} bytes=${kept}-`);
  }, 60_000);

  it('says once what to do without a network', async () => {
    const { baseUrl } = server;
    await server.close();
    const { code, stderr } = await start(['get', 'recommended'], { PARLEY_MODELS_MIRROR: baseUrl }).ended;
    expect(code).toBe(1);
    expect(stderr.match(/PARLEY_MODELS_OFFLINE_DIR/g)).toHaveLength(1);
    expect(stderr).toContain(`Not tried, for the same reason: ${VOICE}, ${TURN}`);
  });

  it('says what is wrong with a name, and with the settings', async () => {
    expect(await models('get', 'nonsense')).toMatchObject({ code: 1, stderr: expect.stringContaining('list') });
    expect(await models('path', '../..')).toMatchObject({ code: 1 });
    const both = await start(['list'], { PARLEY_MODELS_OFFLINE_DIR: dir }).ended;
    expect(both).toMatchObject({ code: 78, stderr: expect.stringContaining('exclude each other') });
  });
});
