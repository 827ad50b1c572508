import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { claimantOf, listenerOf, ownerOf, print } from './faults.ts';
import { Lab, TRIALS_TIMEOUT_MS } from './lab.ts';

/** A hand-over by will must cost less than it takes to notice a death. */
const DETECTION_MS = 600;

describe('a rolling restart', () => {
  let lab: Lab;

  beforeAll(async () => {
    lab = await Lab.open({ gateways: 2, stt: 2, llm: 2, tts: 2 });
  });
  afterEach(() => lab?.leave());
  afterAll(() => lab?.close());

  const median = (values: number[]) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

  it(
    'of the listener loses no word and waits for nobody',
    async () => {
      const addedMs = await lab.trials(async (user) => {
        await user.event('speech.started');
        (await listenerOf(lab.system, user.session.session)).leave();
      }, lab.replace('stt-worker'));
      print('listener told to leave', addedMs);
      expect(median(addedMs)).toBeLessThan(DETECTION_MS);
    },
    TRIALS_TIMEOUT_MS,
  );

  it(
    'of the llm-worker hands the reply over',
    async () => {
      const addedMs = await lab.trials(async (user) => {
        await user.event('reply.clause', () => true, 30_000);
        (await claimantOf(lab.system, user.session.session, 'reply')).leave();
      }, lab.replace('llm-worker'));
      print('llm-worker told to leave', addedMs);
      expect(median(addedMs)).toBeLessThan(DETECTION_MS);
    },
    TRIALS_TIMEOUT_MS,
  );

  it(
    'of the tts-worker hands the clause over',
    async () => {
      const addedMs = await lab.trials(async (user) => {
        await user.played(1, 200);
        (await claimantOf(lab.system, user.session.session, 'speak')).leave();
      }, lab.replace('tts-worker'));
      print('tts-worker told to leave', addedMs);
      expect(median(addedMs)).toBeLessThan(DETECTION_MS);
    },
    TRIALS_TIMEOUT_MS,
  );

  it(
    'of the gateway sends its clients to the next one',
    async () => {
      const addedMs = await lab.trials(async (user) => {
        await user.played(1, 500);
        (await ownerOf(lab.system, user.session.session)).leave();
      }, lab.replace('gateway'));
      print('gateway told to leave', addedMs);
      expect(median(addedMs)).toBeLessThan(DETECTION_MS);
    },
    TRIALS_TIMEOUT_MS,
  );
});
