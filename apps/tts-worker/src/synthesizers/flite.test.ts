import { readdirSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SpeechRequest } from '../synthesizer.ts';
import { createFlite } from './flite.ts';

const never = new AbortController().signal;
const request = (text: string, voice = ''): SpeechRequest => ({ text, voice, speed: 1, language: 'en' });

async function render(text: string, { voice = '', command = 'flite' } = {}): Promise<number[]> {
  const samples: number[] = [];
  for await (const chunk of createFlite({ command }).speak(request(text, voice), never)) samples.push(...chunk.samples);
  return samples;
}

describe('flite', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'flite-test-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  const script = async (name: string, body: string): Promise<string> => {
    const path = join(folder, name);
    await writeFile(path, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
    return path;
  };

  it('has voices that sound different, all at 16 kHz', async () => {
    const flite = createFlite();
    const lengths = new Set<number>();
    for (const voice of flite.voices) {
      let length = 0;
      for await (const { samples, sampleRateHz } of flite.speak(request('Good morning to you.', voice), never)) {
        expect(sampleRateHz).toBe(16_000);
        length += samples.length;
      }
      lengths.add(length);
    }
    expect(lengths.size).toBe(4);
  });

  it('speaks names and typography of other languages as well as it can', async () => {
    expect(await render('Zoë said: “Größe” – café…')).toEqual(await render('Zoe said: "Grosse" ,  cafe...'));
  });

  it('refuses a script that it cannot read, instead of staying silent', async () => {
    await expect(render('你好')).rejects.toMatchObject({ code: 'engine_rejected' });
  });

  it('shows nothing of the text on the command line, and leaves no file', async () => {
    const seen = join(folder, 'arguments');
    const command = await script('spy', `echo "$@" > ${seen}; exec flite "$@"`);
    const before = readdirSync(tmpdir()).filter((name) => name.startsWith('parley-'));
    await render('my secret diagnosis', { command });
    const after = readdirSync(tmpdir()).filter((name) => name.startsWith('parley-'));
    expect(after).toEqual(before);
    const args = await readFile(seen, 'utf8');
    expect(args).toContain('-voice slt');
    expect(args).not.toContain('secret');
  });

  it('reports a process that fails midway, after what it had spoken', async () => {
    const command = await script('half', 'flite -voice kal16 -f - -o /dev/stdout; exit 3');
    const speech = createFlite({ command }).speak(request('Hello.'), never);
    let samples = 0;
    const listen = async (): Promise<void> => {
      for await (const chunk of speech) samples += chunk.samples.length;
    };
    await expect(listen()).rejects.toMatchObject({ code: 'engine_failed', message: 'flite ended with code 3' });
    expect(samples).toBeGreaterThan(1_000);
  });

  it('reports speech that is shorter than flite says, as on a full disk', async () => {
    const full = join(folder, 'full.wav');
    const command = await script('short', `flite -voice kal16 -f - -o ${full}; head -c 9000 ${full}`);
    await expect(render('Hello there.', { command })).rejects.toMatchObject({ message: 'flite was cut short' });
  });

  it('reports a process that is killed, and one that does not read its input', async () => {
    const killed = await script('killed', 'kill -9 $$');
    await expect(render('Hello.', { command: killed })).rejects.toMatchObject({ code: 'engine_failed' });
    const deaf = await script('deaf', 'exit 1');
    await expect(render('Hello. '.repeat(100_000), { command: deaf })).rejects.toMatchObject({ code: 'engine_failed' });
  });
});
