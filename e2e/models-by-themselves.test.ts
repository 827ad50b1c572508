import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ScriptedLlm, startScriptedLlm } from '@parley/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type ModelMirror, packModel, startModelMirror } from './model-mirror.ts';
import { StartedSystem } from './started-system.ts';
import { speech, textOf, User } from './user.ts';

const RELEASES = '/k2-fsa/sherpa-onnx/releases/download';
const RECOGNISER = 'sherpa-onnx-nemo-streaming-fast-conformer-ctc-en-80ms';
const VOICE = 'vits-piper-en_US-ljspeech-medium';
const ANSWER = 'Please set a timer for seventeen minutes.';

describe('npm start', () => {
  let dataDir: string;
  let llm: ScriptedLlm;
  let mirror: ModelMirror;
  let system: StartedSystem | undefined;
  const users: User[] = [];

  beforeAll(async () => {
    llm = await startScriptedLlm({ tokensPerSecond: 50, firstTokenMs: 20, script: () => ANSWER });
  });
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'parley-started-'));
    mirror = await startModelMirror();
  });
  afterEach(async () => {
    await Promise.all(users.splice(0).map((user) => user.leave()));
    await system?.stop();
    system = undefined;
    await mirror.close().catch(() => undefined);
    await rm(dataDir, { recursive: true, force: true });
  });
  afterAll(() => llm?.close());

  const launch = async (env: Record<string, string> = {}): Promise<StartedSystem> => {
    system = await StartedSystem.launch(dataDir, {
      PARLEY_LLM_BASE_URL: llm.url,
      PARLEY_MODELS_MIRROR: mirror.url,
      ...env,
    });
    await system.printed(/Ready in/);
    return system;
  };
  const arrive = async (started: StartedSystem): Promise<User> => {
    const user = await User.connect(started.urls);
    users.push(user);
    return user;
  };

  it('answers with the offline engines while models come, and with the models once they are there', async () => {
    mirror.serve(`${RELEASES}/asr-models/${RECOGNISER}.tar.bz2`, packModel('tiny-stt-en', RECOGNISER));
    mirror.serve(`${RELEASES}/tts-models/${VOICE}.tar.bz2`, packModel('tiny-tts-en', VOICE));
    const models = `${RECOGNISER},${VOICE}`;
    const first = await launch({ PARLEY_MODELS: models });
    expect(first.output).toMatch(/vits-piper.*speaking.*≈ 67 MB.*public domain.*being fetched/);
    await first.printed(/downloading \d+ k?B of 8 MB/);
    await first.servedBy('stt', ['pocketsphinx']);
    await first.servedBy('tts', ['flite']);
    const early = await arrive(first);
    await early.say(await speech('slt-01'));
    const offline = await early.answered(1);
    expect(early.transcript(1)).toBe(textOf('slt-01'));

    mirror.release();
    await first.printed(new RegExp(`^stt: ${RECOGNISER} in use`, 'm'));
    await first.printed(new RegExp(`^tts: ${VOICE} in use`, 'm'));
    await first.servedBy('stt', ['sherpa']);
    await first.servedBy('tts', ['sherpa']);

    const late = await arrive(first);
    await late.say(await speech('rms-01'));
    const { pcm } = await late.answered(1);
    expect(late.transcript(1)).not.toBe('');
    expect(pcm.length).toBeGreaterThan(late.session.settings.outputRateHz);
    expect(pcm).not.toEqual(offline.pcm);

    // Who was there before goes on, and is moved to the new workers.
    await early.say(await speech('slt-01'));
    await early.answered(2);
    expect(early.errors).toEqual([]);
    expect((await early.answered(2)).pcm).not.toEqual(offline.pcm);

    await Promise.all(users.splice(0).map((user) => user.leave()));
    expect(await first.stop()).toBe(0);

    const asked = mirror.requests.length;
    const second = await launch({ PARLEY_MODELS: models });
    await second.servedBy('stt', ['sherpa']);
    await second.servedBy('tts', ['sherpa']);
    expect(mirror.requests.length).toBe(asked);
  }, 240_000);

  it('says in one line that models cannot be had, and serves all the same', async () => {
    await mirror.close();
    const started = await launch();
    await started.printed(/^Not fetched/m);
    expect(started.output.match(/^Not fetched.*$/gm)).toEqual([
      expect.stringMatching(/kroko.*, vits-piper.*, smart-turn-v3: .* cannot be reached .*PARLEY_MODELS_OFFLINE_DIR/),
    ]);
    const user = await arrive(started);
    user.session.sendText('What is seven times eight?');
    expect((await user.answered(1)).text).toBe(ANSWER);
    expect(await started.stop()).toBe(0);
  });
});
