import { INPUT_RATE_HZ, type NewEvent } from '@parley/protocol';
import { createMetrics } from '@parley/runtime';
import { describe, expect, it } from 'vitest';
import { gatewayMetrics } from './metrics.ts';
import { Machine } from './turn-machine/machine-fixture.ts';
import { TurnTiming } from './turn-timing.ts';

const REPLY = { turn: 1, attempt: 0 } as const;
const TRACE = 'the trace of the turn';

/** A timing beside a turn machine; sample 0 of the user's audio came at time 0. */
function watched() {
  const registry = createMetrics({ processMetrics: false });
  const metrics = gatewayMetrics(registry);
  const machine = new Machine();
  let nowMs = 0;
  const timing = new TurnTiming({
    session: 'session-1',
    nowMs: () => nowMs,
    cameAtMs: (sample) => (sample / INPUT_RATE_HZ) * 1_000,
    metrics,
  });
  return {
    machine,
    registry,
    at(ms: number, event: NewEvent) {
      const before = machine.state;
      const entry = machine.entry(event, ms);
      machine.fold(event, ms);
      timing.observe(entry, before, machine.state);
    },
    claimed(ms: number, work: string) {
      nowMs = ms;
      timing.claimed(work);
    },
    send(ms: number) {
      nowMs = ms;
      const { reply } = machine.state;
      if (!reply) throw new Error('nothing is said');
      return timing.firstSend(reply);
    },
  };
}

/** Speech from 1 s to 3 s, taken as ended 700 ms later. */
function speak({ at }: ReturnType<typeof watched>): void {
  at(1_050, { type: 'speech.started', utterance: 1, sample: INPUT_RATE_HZ, trace: TRACE });
  at(3_200, { type: 'speech.stopped', utterance: 1, sample: 3 * INPUT_RATE_HZ, trace: TRACE });
  const ends = { sample: 3 * INPUT_RATE_HZ, decidedSample: 3.7 * INPUT_RATE_HZ };
  at(3_710, { type: 'turn.ended', utterance: 1, text: 'what time is it', ...ends, trace: TRACE });
}

function answer({ at, claimed }: ReturnType<typeof watched>): void {
  at(3_712, { type: 'reply.started', ...REPLY });
  claimed(3_715.5, 'reply.1.0');
  at(3_815, { type: 'reply.delta', ...REPLY, text: 'It is' });
  at(3_865, { type: 'reply.clause', ...REPLY, clause: 0, text: 'It is noon.' });
  claimed(3_868, 'speak.1.0.0');
  at(3_950, { type: 'audio.chunk', ...REPLY, clause: 0, startSample: 0, samples: 960 });
}

describe('the timing of a turn', () => {
  it('divides the time from the last speech to the first audio into parts that follow one another', () => {
    const turn = watched();
    speak(turn);
    answer(turn);
    const figures = turn.send(3_952.5);
    expect(figures).toEqual({
      ...REPLY,
      endOfTurnMs: 710,
      queueMs: 8.5,
      firstTokenMs: 99.5,
      firstClauseMs: 50,
      firstAudioMs: 82,
      firstSendMs: 2.5,
      totalMs: 952.5,
    });
  });

  it('is counted by stage', async () => {
    const turn = watched();
    speak(turn);
    answer(turn);
    turn.send(3_952.5);
    const text = await turn.registry.render();
    expect(text).toContain('parley_turn_stage_seconds_sum{stage="end_of_turn"} 0.71');
    expect(text).toContain('parley_turn_latency_seconds_sum 0.9525');
  });

  it('of typed text begins with the text', () => {
    const turn = watched();
    turn.at(3_700, { type: 'input.text', text: 'what time is it', trace: TRACE });
    answer(turn);
    expect(turn.send(3_952)).toMatchObject({ endOfTurnMs: 0, queueMs: 18.5, totalMs: 252 });
  });

  it('of a prepared reply overlaps with the end of the turn', () => {
    const turn = watched();
    const { at, claimed } = turn;
    const text = 'what time is it';
    at(1_050, { type: 'speech.started', utterance: 1, sample: INPUT_RATE_HZ, trace: TRACE });
    at(3_200, { type: 'speech.stopped', utterance: 1, sample: 3 * INPUT_RATE_HZ, trace: TRACE });
    at(3_210, { type: 'turn.eager', utterance: 1, text, probability: 0.9, trace: TRACE });
    at(3_212, { type: 'reply.started', ...REPLY, held: true });
    claimed(3_215, 'reply.1.0');
    at(3_315, { type: 'reply.delta', ...REPLY, text: 'It is noon.', held: true });
    at(3_316, { type: 'reply.clause', ...REPLY, clause: 0, text: 'It is noon.', held: true });
    claimed(3_320, 'speak.1.0.0');
    at(3_400, { type: 'audio.chunk', ...REPLY, clause: 0, startSample: 0, samples: 960 });
    const ends = { sample: 3 * INPUT_RATE_HZ, decidedSample: 3.7 * INPUT_RATE_HZ };
    at(3_710, { type: 'turn.ended', utterance: 1, text, ...ends, trace: TRACE });
    expect(turn.send(3_712)).toMatchObject({
      endOfTurnMs: 710,
      queueMs: 7,
      firstTokenMs: 100,
      firstAudioMs: 80,
      firstSendMs: 2,
      totalMs: 712,
    });
  });

  it('of work whose pulse was lost counts the wait as work', () => {
    const turn = watched();
    speak(turn);
    const { at } = turn;
    at(3_712, { type: 'reply.started', ...REPLY });
    at(3_815, { type: 'reply.delta', ...REPLY, text: 'It is' });
    at(3_865, { type: 'reply.clause', ...REPLY, clause: 0, text: 'It is noon.' });
    at(3_950, { type: 'audio.chunk', ...REPLY, clause: 0, startSample: 0, samples: 960 });
    expect(turn.send(3_950)).toMatchObject({ queueMs: 190, firstTokenMs: 0, firstAudioMs: 0, totalMs: 950 });
  });

  it('is not told where its beginning was not seen', () => {
    const turn = watched();
    speak(turn);
    turn.at(3_950, { type: 'audio.chunk', ...REPLY, clause: 0, startSample: 0, samples: 960 });
    expect(turn.send(3_952)).toBeUndefined();
  });

  it('counts clauses that have to wait because enough is there to be heard', async () => {
    const turn = watched();
    speak(turn);
    answer(turn);
    for (const clause of [1, 2, 3]) turn.at(3_960 + clause, { type: 'reply.clause', ...REPLY, clause, text: 'More.' });
    expect(await turn.registry.render()).toContain('parley_gateway_bound_hits_total{bound="reply_ahead"} 2');
  });
});
