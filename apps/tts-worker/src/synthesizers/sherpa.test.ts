import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { childProcesses } from '@parley/testkit';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { never, render, speechRequest, TINY_VOICE_DIR } from '../testing/lab.ts';
import { createSherpa } from './sherpa.ts';

const TINY_RECOGNIZER_DIR = fileURLToPath(
  new URL('../../../../libs/testkit/fixtures/models/tiny-stt-en', import.meta.url),
);
const isRunning = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe('sherpa', () => {
  const sherpa = createSherpa({ modelDir: TINY_VOICE_DIR, threads: 1, slots: 4 });
  beforeAll(() => sherpa.warmUp(never));
  afterAll(() => sherpa.close());

  it('knows after its warm-up what it has', () => {
    expect(sherpa).toMatchObject({ voices: ['0', '1'], languages: ['en'], sampleRateHz: 16_000, deterministic: true });
    expect(['', '0', '1', '2', 'slt', '-1'].filter((voice) => sherpa.hasVoice?.(voice))).toEqual(['0', '1']);
  });

  it('speaks in the voice asked for, else in the one configured, else in the first', async () => {
    const other = createSherpa({ modelDir: TINY_VOICE_DIR, threads: 1, voice: '1' });
    try {
      const [first, second] = [
        await render(sherpa, 'Good morning.'),
        await render(sherpa, 'Good morning.', { voice: '1' }),
      ];
      expect(second).not.toEqual(first);
      await other.warmUp(never);
      expect(await render(other, 'Good morning.')).toEqual(second);
      expect(await render(other, 'Good morning.', { voice: '0' })).toEqual(first);
    } finally {
      await other.close();
    }
  });

  it('has the beginning of a long sentence ready before the rest', async () => {
    const text = 'This is how it begins, and then the sentence goes on for quite some time, until it comes to its end.';
    const chunks: number[] = [];
    for await (const { samples } of sherpa.speak(speechRequest(text), never)) chunks.push(samples.length);
    expect(chunks).toHaveLength(2);
    expect(chunks[0]).toBeLessThan((chunks[1] ?? 0) / 2);
  });

  it('passes over a word it does not know, and refuses a text without any', async () => {
    expect((await render(sherpa, 'Hello zxqwv there.')).samples.length).toBeGreaterThan(8_000);
    await expect(render(sherpa, 'zxqwv')).rejects.toMatchObject({ code: 'engine_rejected' });
  });

  it('says why a folder cannot be loaded, and lives on though the library ends the process', async () => {
    const wrong = createSherpa({ modelDir: TINY_RECOGNIZER_DIR, kind: 'tts-vits' });
    await expect(wrong.warmUp(never)).rejects.toMatchObject({
      code: 'engine_failed',
      message: expect.stringContaining('sample_rate'),
    });
    await wrong.close();
  });

  it('prints nothing of what it says, and ends with its worker however that ends', async () => {
    const program = `
      import { createSherpa } from ${JSON.stringify(new URL('./sherpa.ts', import.meta.url).href)};
      const sherpa = createSherpa({ modelDir: ${JSON.stringify(TINY_VOICE_DIR)}, threads: 1 });
      const request = { text: 'My zxqwv is secret.', voice: '', speed: 1, language: 'en' };
      for await (const _ of sherpa.speak(request, new AbortController().signal));
      console.log(sherpa.sampleRateHz);
      setInterval(() => undefined, 1_000);`;
    const worker = spawn(process.execPath, ['--input-type=module', '--eval', program], { stdio: 'pipe' });
    let output = '';
    for (const stream of [worker.stdout, worker.stderr]) stream.on('data', (text) => (output += text));
    await vi.waitFor(() => expect(output).toContain('16000'), { timeout: 10_000 });
    const [child = 0] = childProcesses('sherpa-process.ts', worker.pid);
    expect(isRunning(child)).toBe(true);
    worker.kill('SIGKILL');
    await once(worker, 'exit');
    await vi.waitFor(() => expect(isRunning(child)).toBe(false), { timeout: 3_000 });
    expect(output).not.toContain('zxqwv');
  });
});
