import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EnergyGate } from '../energy-gate.ts';
import { Framer } from '../framer.ts';
import { applyGain } from '../level.ts';
import { SILENCE, stepVoiceActivity, type VoiceActivity, type VoiceActivityEvent } from '../voice-activity.ts';
import { readWav } from '../wav.ts';
import { SileroVad, VAD_FRAME_SAMPLES } from './silero-vad.ts';

const SPEECH = new URL('../../../testkit/fixtures/speech/', import.meta.url);
const FILES = readdirSync(SPEECH).filter((file) => file.endsWith('.wav'));
const VOICES = FILES.filter((file) => !['silence.wav', 'noise.wav'].includes(file));

interface ManifestItem {
  readonly file: string;
  readonly utterances?: readonly { readonly startMs: number; readonly endMs: number }[];
}

function framesOf(file: string, gainDb = 0): Int16Array[] {
  const { samples } = readWav(readFileSync(new URL(file, SPEECH)));
  const framer = new Framer({ frameSamples: VAD_FRAME_SAMPLES });
  return framer.push(applyGain(samples, gainDb)).map(({ pcm }) => pcm);
}

let vad: SileroVad;
beforeAll(async () => {
  vad = await SileroVad.load();
});
afterAll(() => vad.close());

async function scores(frames: readonly Int16Array[]): Promise<number[]> {
  const state = vad.createState();
  return vad.run(frames.map((pcm) => ({ state, pcm })));
}

function eventsOf(probabilities: readonly number[]): VoiceActivityEvent[] {
  let state: VoiceActivity = SILENCE;
  const events: VoiceActivityEvent[] = [];
  probabilities.forEach((probability, i) => {
    const frame = { startSample: i * VAD_FRAME_SAMPLES, samples: VAD_FRAME_SAMPLES, probability };
    const step = stepVoiceActivity(state, frame);
    state = step.state;
    if (step.event) events.push(step.event);
  });
  return events;
}

describe('Silero VAD', () => {
  test('hears speech in every recording of a voice', async () => {
    for (const file of VOICES) {
      const probabilities = await scores(framesOf(file));
      const speech = probabilities.filter((probability) => probability > 0.5).length / probabilities.length;
      expect(speech, file).toBeGreaterThan(0.3);
    }
  });

  test.each(['silence.wav', 'noise.wav'])('hears no speech in %s', async (file) => {
    expect(eventsOf(await scores(framesOf(file)))).toEqual([]);
  });

  test('finds both utterances around a pause, to within 150 ms', async () => {
    const manifest = JSON.parse(readFileSync(new URL('manifest.json', SPEECH), 'utf8')) as { items: ManifestItem[] };
    const withPause = manifest.items.filter(({ file }) => file.startsWith('pause-'));
    expect(withPause.length).toBeGreaterThan(0);
    for (const { file, utterances } of withPause) {
      const events = eventsOf(await scores(framesOf(file)));
      expect(utterances, file).toBeDefined();
      const onsetsMs = events.filter(({ type }) => type === 'onset').map(({ onsetSample }) => onsetSample / 16);
      for (const { startMs } of utterances ?? []) {
        expect(
          onsetsMs.some((onsetMs) => Math.abs(onsetMs - startMs) <= 150),
          `${file} ${startMs} ${onsetsMs}`,
        ).toBe(true);
      }
    }
  });

  test('a batch of sessions gives each the probabilities it has alone', async () => {
    const sessions = FILES.map((file) => framesOf(file).slice(0, 40));
    const alone: number[][] = [];
    for (const frames of sessions) {
      const state = vad.createState();
      const probabilities: number[] = [];
      for (const pcm of frames) probabilities.push(...(await vad.run([{ state, pcm }])));
      alone.push(probabilities);
    }
    const states = sessions.map(() => vad.createState());
    for (let i = 0; i < 40; i++) {
      const batch = sessions.flatMap((frames, session) => {
        const [pcm, state] = [frames[i], states[session]];
        return pcm && state ? [{ session, state, pcm }] : [];
      });
      const together = await vad.run(batch);
      batch.forEach(({ session }, row) => {
        expect(Math.abs((together[row] ?? -1) - (alone[session]?.[i] ?? -2))).toBeLessThan(1e-4);
      });
    }
  });

  test('a batch above the bound, with a session in it several times, is split and keeps its order', async () => {
    const small = await SileroVad.load({ maxBatch: 3 });
    try {
      const recordings = VOICES.slice(0, 4).map((file) => framesOf(file).slice(0, 12));
      const expected = await Promise.all(recordings.map(scores));
      const states = recordings.map(() => small.createState());
      const batch = recordings.flatMap((frames, session) =>
        frames.map((pcm, i) => ({ session, i, pcm, state: states[session] ?? small.createState() })),
      );
      batch.sort((a, b) => a.i - b.i);
      const probabilities = await small.run(batch);
      expect(probabilities).toHaveLength(batch.length);
      batch.forEach(({ session, i }, row) => {
        expect(Math.abs((probabilities[row] ?? -1) - (expected[session]?.[i] ?? -2))).toBeLessThan(1e-4);
      });
    } finally {
      await small.close();
    }
  });

  test('runs that were not awaited still take a session in order', async () => {
    const frames = framesOf('slt-01.wav').slice(0, 30);
    const state = vad.createState();
    const pending = frames.map((pcm) => vad.run([{ state, pcm }]));
    const probabilities = (await Promise.all(pending)).flat();
    const expected = await scores(frames);
    probabilities.forEach((probability, i) => {
      expect(Math.abs(probability - (expected[i] ?? -1))).toBeLessThan(1e-4);
    });
  });

  test('nothing to do is done at once', async () => {
    expect(await vad.run([])).toEqual([]);
  });

  test('wrong input is refused with a code and does not disturb the next run', async () => {
    const state = vad.createState();
    const badFormat = { code: 'bad_format' };
    await expect(vad.run([{ state, pcm: new Int16Array(480) }])).rejects.toMatchObject(badFormat);
    const other = await SileroVad.load();
    const silence = new Int16Array(VAD_FRAME_SAMPLES);
    await expect(vad.run([{ state: other.createState(), pcm: silence }])).rejects.toMatchObject(badFormat);
    await other.close();
    await other.close();
    await expect(other.run([{ state, pcm: silence }])).rejects.toMatchObject({ code: 'vad_unavailable' });
    expect(await vad.run([{ state, pcm: silence }])).toHaveLength(1);
  });

  test('a model that is not there is reported with a code', async () => {
    await expect(SileroVad.load({ modelPath: '/nowhere/model.onnx' })).rejects.toMatchObject({
      code: 'vad_unavailable',
    });
  });
});

describe('the energy gate in front of the model', () => {
  test.each([0, -20, -30])('holds back no frame of speech at %i dB', async (gainDb) => {
    for (const file of VOICES) {
      const frames = framesOf(file, gainDb);
      const probabilities = await scores(frames);
      const gate = new EnergyGate({ holdMs: 300 });
      frames.forEach((frame, i) => {
        const passes = gate.passes(frame);
        const probability = probabilities[i] ?? 0;
        if (probability > 0.5) gate.hold();
        if (probability > 0.5 && !passes)
          expect.fail(`${file}: frame ${i} of probability ${probability} was held back`);
      });
    }
  });

  test.each([0, -20])('the model, asked only for what passes, announces the same speech at %i dB', async (gainDb) => {
    for (const file of VOICES) {
      const quiet = new Int16Array(VAD_FRAME_SAMPLES);
      const frames = [...Array.from({ length: 60 }, () => quiet), ...framesOf(file, gainDb)];
      const state = vad.createState();
      const gate = new EnergyGate();
      const gated: number[] = [];
      for (const pcm of frames) {
        if (!gate.passes(pcm)) {
          vad.skip({ state, pcm });
          gated.push(0);
          continue;
        }
        const [probability = 0] = await vad.run([{ state, pcm }]);
        if (probability > 0.35) gate.hold();
        gated.push(probability);
      }
      const onsets = (probabilities: number[]) =>
        eventsOf(probabilities).flatMap((e) => (e.type === 'onset' ? [e] : []));
      const [expected, actual] = [onsets(await scores(frames)), onsets(gated)];
      expect(actual.length, file).toBe(expected.length);
      actual.forEach(({ onsetSample }, i) => {
        expect(Math.abs(onsetSample - (expected[i]?.onsetSample ?? 0)), file).toBeLessThanOrEqual(
          2 * VAD_FRAME_SAMPLES,
        );
      });
    }
  });
});
