import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findUsedPort } from './ports.ts';

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));

let dataDir = '';
let server: Server | undefined;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'parley-start-'));
});
afterEach(async () => {
  await rm(dataDir, { recursive: true });
  server?.close();
  server = undefined;
});

async function startMain(args: readonly string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [MAIN, '--offline', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, PARLEY_DATA_DIR: dataDir, ...env },
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      text += chunk;
    });
  }
  const [code] = await once(child, 'close');
  return { code, text };
}

async function takePort(): Promise<number> {
  const taken = createServer();
  server = taken;
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  return (taken.address() as AddressInfo).port;
}

test('a used port is reported before anything is started', async () => {
  const port = await takePort();
  const { code, text } = await startMain(['--port', String(port)]);
  expect(code).toBe(1);
  expect(text).toContain(`Port ${port} is already in use`);
  expect(await readdir(dataDir)).toEqual([]);
});

test('so is one that a further gateway would need', async () => {
  const port = await takePort();
  expect(await findUsedPort('127.0.0.1', port - 1, 1)).toBeUndefined();
  expect(await findUsedPort('127.0.0.1', port - 1, 2)).toBe(port);
});

test('a Redis that does not answer is reported, and nothing is left', async () => {
  const port = await takePort();
  server?.close();
  const { code, text } = await startMain(['--port', String(port)], { REDIS_URL: 'redis://someone:secret@127.0.0.1:1' });
  expect(code).toBe(1);
  expect(text).toMatch(
    /The Redis at redis:\/\/someone:\*\*\*@127\.0\.0\.1:1 \(REDIS_URL\) cannot be reached: .*ECONNREFUSED/,
  );
  expect(await readdir(dataDir)).toEqual([]);
});

test('help names the options and the environment', async () => {
  const { code, text } = await startMain(['--help']);
  expect(code).toBe(0);
  for (const part of [
    '--gateways',
    '--tts',
    '--offline',
    'REDIS_URL',
    'PARLEY_MODELS',
    'PARLEY_MODELS_MIRROR',
    'PARLEY_DATA_DIR',
    'PARLEY_STT_ENGINE',
    'README.md',
  ]) {
    expect(text).toContain(part);
  }
});

test('wrong options and settings are refused', async () => {
  expect((await startMain(['--stt', '0'])).text).toContain('whole number from 1 to 64');
  const { code, text } = await startMain([], { PORT: '99999' });
  expect(code).toBe(78);
  expect(text).toContain('PORT cannot be "99999"');
});
