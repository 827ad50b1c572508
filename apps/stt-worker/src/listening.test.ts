import { concatInt16 } from '@parley/audio';
import type { Bus } from '@parley/bus';
import { startRedis, type TestRedis } from '@parley/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Recognizer } from './recognizer.ts';
import { createRecognizer } from './recognizers/sherpa.ts';
import { connectTestBus, SpokenSession, silence, speech, TestWorker } from './testing/lab.ts';
import { loadVoiceDetector, type VoiceDetector } from './voice-detector.ts';

const MODEL = new URL('../../../libs/testkit/fixtures/models/tiny-stt-en', import.meta.url).pathname;

let redis: TestRedis;
let bus: Bus;
let engine: { recognizer: Recognizer; detector: VoiceDetector };

beforeAll(async () => {
  redis = await startRedis();
  ({ bus } = await connectTestBus(redis));
  engine = {
    recognizer: await createRecognizer({
      modelDir: MODEL,
      slots: 0,
      stallTimeoutMs: 10_000,
      onTrouble: (error) => {
        throw error;
      },
    }),
    detector: await loadVoiceDetector('silero'),
  };
});
afterAll(async () => {
  await engine.recognizer.close();
  await engine.detector.close();
  await bus.close();
  await redis.stop();
});

test('a spoken sentence becomes a turn', async () => {
  const worker = await TestWorker.start(redis, engine);
  const spoken = await SpokenSession.open(bus);
  await spoken.offer();
  await spoken.speak(concatInt16([speech('slt-01.wav'), silence(1_500)]), { live: true });
  const [turn] = await spoken.turns(1);
  for (const e of await spoken.events()) process.stderr.write(JSON.stringify(e) + '\n');
  expect(turn?.text).toBe('could you tell me what the weather will be like in dublin on friday');
  await spoken.close();
  await worker.stop();
});
