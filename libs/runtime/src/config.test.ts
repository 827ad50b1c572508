import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { z } from 'zod';
import { ConfigError, describeConfig, loadConfig, readConfigFile, redactConfig } from './config.ts';

const spec = {
  port: {
    env: 'PORT',
    schema: z.coerce.number().int().min(1).max(65_535).default(8080),
    describe: 'Port of the service.',
  },
  mode: { env: 'PARLEY_MODE', schema: z.enum(['fast', 'careful']).default('fast'), describe: 'How to work.' },
  folder: { env: 'PARLEY_FOLDER', schema: z.coerce.string(), describe: 'Where to write.' },
  key: { env: 'PARLEY_KEY', schema: z.string().min(8).optional(), describe: 'Opens the door.', secret: true },
  keys: {
    env: 'PARLEY_KEYS',
    schema: z
      .string()
      .default('')
      .transform((text) => text.split(',').filter(Boolean)),
    describe: 'Names, separated by commas.',
  },
} as const;

function faultsOf(fn: () => unknown): readonly string[] {
  try {
    fn();
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  throw new Error('expected a ConfigError');
}

test('values are typed, frozen and take their defaults', () => {
  const config = loadConfig(spec, { PARLEY_FOLDER: '/tmp', PARLEY_KEYS: 'a,b', PORT: '' });
  const port: number = config.port;
  expect(config).toEqual({ port, mode: 'fast', folder: '/tmp', key: undefined, keys: ['a', 'b'] });
  expect(port).toBe(8080);
  expect(Object.isFrozen(config)).toBe(true);
});

test('the environment wins over the file, which may hold numbers and lists', () => {
  const file = { PORT: 9000, PARLEY_FOLDER: '/file', PARLEY_KEYS: ['x', 'y'], HOME: 'not ours' };
  const config = loadConfig(spec, { PARLEY_FOLDER: '/environment' }, file);
  expect(config).toMatchObject({ port: 9000, folder: '/environment', keys: ['x', 'y'] });
});

test('all faults come at once, with name, range and given value, but never a secret one', () => {
  const faults = faultsOf(() =>
    loadConfig(spec, { PORT: '70000', PARLEY_MODE: 'slow', PARLEY_KEY: 'hunter2' }, { PARLEY_FLODER: '/tmp' }),
  );
  expect(faults).toHaveLength(5);
  const text = faults.join('\n');
  expect(text).toMatch(/PORT cannot be "70000".*a whole number from 1 to 65535/);
  expect(text).toMatch(/PARLEY_MODE cannot be "slow".*fast \| careful/);
  expect(text).toContain('PARLEY_FOLDER is required: Where to write.');
  expect(text).toContain('PARLEY_FLODER in the configuration file is not a setting');
  expect(text).toContain('PARLEY_KEY cannot be its value (not shown)');
  expect(text).not.toContain('hunter2');
});

test('a shared file may name settings of other services', () => {
  const file = { PARLEY_FOLDER: '/tmp', PARLEY_OTHER_THING: 'x' };
  expect(loadConfig(spec, {}, file, { foreignNames: /^PARLEY_OTHER_/ }).folder).toBe('/tmp');
});

test('settings describe themselves', () => {
  expect(describeConfig(spec)).toEqual([
    {
      env: 'PORT',
      describe: 'Port of the service.',
      required: false,
      allowed: 'a whole number from 1 to 65535',
      default: '8080',
    },
    { env: 'PARLEY_MODE', describe: 'How to work.', required: false, allowed: 'fast | careful', default: 'fast' },
    { env: 'PARLEY_FOLDER', describe: 'Where to write.', required: true, allowed: '', default: undefined },
    { env: 'PARLEY_KEY', describe: 'Opens the door.', required: false, allowed: '', default: undefined },
    { env: 'PARLEY_KEYS', describe: 'Names, separated by commas.', required: false, allowed: '', default: undefined },
  ]);
});

test('what is logged shows neither secrets nor a password in a URL', () => {
  const config = loadConfig(spec, { PARLEY_FOLDER: 'redis://user:pa%40ss@host/0', PARLEY_KEY: 'a long secret' });
  expect(redactConfig(spec, config)).toMatchObject({
    PARLEY_KEY: '[set]',
    PARLEY_FOLDER: 'redis://user:***@host/0',
  });
});

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
});

test('a configuration file is JSON or lines of NAME=value; anything else is a fault', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'parley-config-'));
  folders.push(folder);
  const path = join(folder, 'config');
  await writeFile(path, '{"PORT": 9000}');
  expect(readConfigFile(path)).toEqual({ PORT: 9000 });
  await writeFile(path, '# comment\nPARLEY_MODE=careful\n');
  expect(readConfigFile(path)).toEqual({ PARLEY_MODE: 'careful' });
  await writeFile(path, '{"PORT": ');
  expect(faultsOf(() => readConfigFile(path))[0]).toContain(`${path} cannot be read`);
  expect(faultsOf(() => readConfigFile(join(folder, 'absent')))[0]).toContain('ENOENT');
});
