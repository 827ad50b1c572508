import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Lab } from './lab.ts';
import { speech, User } from './user.ts';

const MODEL = fileURLToPath(new URL('../libs/testkit/fixtures/models/tiny-stt-en', import.meta.url));
const RECORDINGS = ['slt-01', 'slt-02', 'slt-03', 'slt-05', 'rms-01', 'rms-02', 'rms-04', 'rms-05', 'awb-01', 'awb-02'];
const SESSIONS = 20;

describe('twenty sessions at once', () => {
  let lab: Lab;

  beforeAll(async () => {
    lab = await Lab.open({ stt: 2, llm: 2, tts: 2, env: { PARLEY_STT_ENGINE: 'sherpa', PARLEY_STT_MODEL_DIR: MODEL } });
    lab.llm.setBehaviour({
      tokensPerSecond: 20,
      script: ({ messages }) => {
        const nonce = /nonce-\w+/.exec(messages[0]?.content ?? '')?.[0];
        return `The word is ${nonce}. You asked about ${messages.at(-1)?.content}.`;
      },
    });
  });
  afterAll(() => lab?.close());

  it('each gets its own answer and none another’s, though a worker of each stage is restarted midway', async () => {
    const users = await Promise.all(
      Array.from({ length: SESSIONS }, (_, i) =>
        User.connect(lab.system.urls, { instructions: `nonce-${i}x`, outputRateHz: 16_000 }),
      ),
    );
    const questions = users.map(async (user, i) =>
      user.say(await speech(RECORDINGS[i % RECORDINGS.length] ?? 'slt-01')),
    );
    for (const app of ['stt-worker', 'llm-worker', 'tts-worker'] as const) {
      const [old] = lab.system.processes.filter((one) => one.app === app && !one.killed);
      await lab.system.add(app);
      old?.leave();
    }
    await Promise.all(questions);
    const answers = await Promise.all(users.map((user) => user.answered(1, 60_000)));

    for (const [i, { text }] of answers.entries()) {
      expect(text).toContain(`nonce-${i}x.`);
      expect(text).toContain(users[i]?.transcript(1));
      expect(users[i]?.transcript(1)).not.toBe('');
      expect(users[i]?.errors).toEqual([]);
    }
    await Promise.all(users.map((user) => user.leave()));
  }, 120_000);
});
