import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';

const BOOTSTRAP = fileURLToPath(new URL('../bootstrap.mjs', import.meta.url));

let bin = '';
beforeEach(() => {
  bin = mkdtempSync(join(tmpdir(), 'parley-bin-'));
});
afterEach(() => rmSync(bin, { recursive: true }));

/** Runs it on a machine whose only programs are those in `bin`. */
function bootstrap(args: readonly string[], env: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [BOOTSTRAP, ...args], {
    encoding: 'utf8',
    env: { PATH: bin, PARLEY_NO_INSTALL: '1', ...env },
  });
  return { status, text: stdout + stderr };
}

test.each([
  ['apt-get', /apt-get update && (sudo )?apt-get install -y redis-server flite/],
  ['dnf', /dnf install -y redis flite/],
  ['pacman', /pacman -S --needed valkey flite/],
  ['brew', /brew install redis flite/],
])('what is missing is named with the command of %s, and nothing is installed', (tool, command) => {
  symlinkSync('/bin/false', join(bin, tool));
  const { status, text } = bootstrap(['test']);
  expect(status).toBe(1);
  expect(text).toContain('this machine lacks redis-server (keeps the conversations), flite (speaks offline)');
  expect(text).toMatch(command);
});

test('parts that others stand in for are not missed', () => {
  const { text } = bootstrap(['start'], { PARLEY_STT_ENGINE: 'sherpa', PARLEY_TTS_BASE_URL: 'http://127.0.0.1:1' });
  expect(text).toContain('lacks redis-server');
  expect(text).not.toContain('flite');
  expect(text).not.toContain('pocketsphinx');
});

test('help needs nothing installed', () => {
  const { status, text } = bootstrap(['start', '--help']);
  expect(status).toBe(0);
  expect(text).toContain('--gateways');
});

test('an unknown command is refused with those that there are', () => {
  const { status, text } = bootstrap(['dance']);
  expect(status).toBe(64);
  expect(text).toMatch(/"dance" is no command; there are start, talk,.* check/);
});
