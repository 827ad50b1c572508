import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  isSpeaking,
  type ScoredFrame,
  SILENCE,
  stepVoiceActivity,
  type VoiceActivity,
  type VoiceActivityEvent,
} from './voice-activity.ts';

const FRAME = 512;

function frames(probabilities: readonly number[], startSample = 0): ScoredFrame[] {
  return probabilities.map((probability, i) => ({ startSample: startSample + i * FRAME, samples: FRAME, probability }));
}

function hear(heard: readonly ScoredFrame[], state: VoiceActivity = SILENCE) {
  const events: VoiceActivityEvent[] = [];
  let current = state;
  for (const frame of heard) {
    const step = stepVoiceActivity(current, frame);
    current = step.state;
    if (step.event) events.push(step.event);
  }
  return { state: current, events };
}

const many = (count: number, probability: number) => Array.from({ length: count }, () => probability);

describe('voice activity', () => {
  test('the onset is announced after the minimum and dated back to the first sample', () => {
    expect(hear(frames([0, 0, 0.9])).events).toEqual([]);
    expect(hear(frames([0, 0, 0.9, 0.9])).events).toEqual([{ type: 'onset', onsetSample: 2 * FRAME }]);
  });

  test('a click is not speech', () => {
    const { state, events } = hear(frames([0, 0.9, 0.1, 0.9, 0.1]));
    expect(events).toEqual([]);
    expect(state).toEqual(SILENCE);
  });

  test('speech ends after the minimum silence, at the sample where the silence began', () => {
    expect(hear(frames([...many(4, 0.9), ...many(4, 0)])).events).toHaveLength(1);
    expect(hear(frames([...many(4, 0.9), ...many(5, 0)])).events[1]).toEqual({
      type: 'offset',
      onsetSample: 0,
      speechEndSample: 4 * FRAME,
      speechSamples: 4 * FRAME,
    });
  });

  test('between the thresholds speech goes on, and does not begin', () => {
    expect(hear(frames(many(10, 0.4))).events).toEqual([]);
    expect(isSpeaking(hear(frames([0.6, 0.6, ...many(20, 0.4)])).state)).toBe(true);
    expect(isSpeaking(hear(frames([0.6, 0.6, 0.1, ...many(20, 0.4)])).state)).toBe(false);
  });

  test('a pause inside speech is bridged and not counted as speech', () => {
    const { state, events } = hear(frames([0.9, 0.9, 0.1, 0.1, 0.1, 0.1, 0.9]));
    expect(events).toHaveLength(1);
    expect(state).toMatchObject({ phase: 'speech', speechSamples: 3 * FRAME, speechEndSample: 7 * FRAME });
  });

  test('silence as short as a closure inside a word is counted as speech, once speech has followed it', () => {
    const closed = hear(frames([0.9, 0.9, 0.1, 0.1, 0.1]));
    expect(closed.state).toMatchObject({ phase: 'falling', speechSamples: 2 * FRAME });
    expect(hear(frames([0.9], 5 * FRAME), closed.state).state).toMatchObject({ speechSamples: 6 * FRAME });
  });

  test('a gap in the audio counts as silence', () => {
    const { events } = hear([...frames(many(4, 0.9)), ...frames(many(2, 0.9), 100_000)]);
    expect(events.map((event) => event.type)).toEqual(['onset', 'offset', 'onset']);
    expect(events[2]).toEqual({ type: 'onset', onsetSample: 100_000 });
  });

  test('a short gap in the audio does not end speech', () => {
    const { state, events } = hear([...frames(many(4, 0.9)), ...frames([0.9], 4 * FRAME + 320)]);
    expect(events).toHaveLength(1);
    expect(state).toMatchObject({ phase: 'speech', speechSamples: 5 * FRAME + 320 });
  });

  test('the state survives a way through JSON in the middle of speech', () => {
    const speech = frames([0.1, 0.9, 0.8, 0.9, 0.2, 0.1, 0.1, 0.1, 0.1]);
    for (let cut = 0; cut <= speech.length; cut++) {
      const before = hear(speech.slice(0, cut));
      const after = hear(speech.slice(cut), JSON.parse(JSON.stringify(before.state)));
      expect([...before.events, ...after.events]).toEqual(hear(speech).events);
    }
  });

  test('a probability that is no number is silence', () => {
    expect(hear(frames(many(10, Number.NaN))).events).toEqual([]);
  });

  test('onsets and offsets alternate, in order, over any probabilities and gaps', () => {
    const heard = fc.array(fc.record({ probability: fc.double({ min: 0, max: 1 }), gap: fc.nat(6_000) }));
    fc.assert(
      fc.property(heard, (input) => {
        let startSample = 0;
        const scored = input.map(({ probability, gap }) => {
          startSample += gap > 5_000 ? gap : 0;
          const frame = { startSample, samples: FRAME, probability };
          startSample += FRAME;
          return frame;
        });
        const { events } = hear(scored);
        let lastSample = 0;
        events.forEach((event, i) => {
          expect(event.type).toBe(i % 2 === 0 ? 'onset' : 'offset');
          expect(event.onsetSample).toBeGreaterThanOrEqual(event.type === 'onset' ? lastSample : 0);
          if (event.type === 'offset') {
            expect(event.speechSamples).toBeGreaterThanOrEqual(2 * FRAME);
            expect(event.speechSamples).toBeLessThanOrEqual(event.speechEndSample - event.onsetSample);
            lastSample = event.speechEndSample;
          }
        });
      }),
    );
  });
});
