import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lockDataDir } from './data-dir-lock.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-lock-'));
});
afterEach(() => rm(folder, { recursive: true }));

test('a folder is held by one at a time, and given back without a trace', async () => {
  const unlock = await lockDataDir(join(folder, 'data'));
  await expect(lockDataDir(join(folder, 'data'))).rejects.toThrow(
    `already running on ${folder}/data (process ${process.pid})`,
  );
  await unlock();
  expect(await readdir(join(folder, 'data'))).toEqual([]);
  await (await lockDataDir(join(folder, 'data')))();
});

test('the lock of a process that is gone is taken over', async () => {
  const gone = spawn(process.execPath, ['-e', '']);
  await once(gone, 'close');
  await writeFile(join(folder, 'lock'), JSON.stringify({ pid: gone.pid, born: '1' }));
  await lockDataDir(folder);
  expect(JSON.parse(await readFile(join(folder, 'lock'), 'utf8'))).toMatchObject({ pid: process.pid });
});

test.runIf(process.platform === 'linux')('so is that of an earlier process with the same id', async () => {
  await writeFile(join(folder, 'lock'), JSON.stringify({ pid: process.pid, born: '1' }));
  await lockDataDir(folder);
});

test('a lock that cannot be read is nobody’s', async () => {
  await writeFile(join(folder, 'lock'), '{"pid":');
  await lockDataDir(folder);
});

test('a folder that cannot be made is reported', async () => {
  await writeFile(join(folder, 'file'), '');
  await expect(lockDataDir(join(folder, 'file', 'data'))).rejects.toThrow('cannot be made');
});
