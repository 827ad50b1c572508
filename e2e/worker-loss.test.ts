import { waitUntil } from '@parley/testkit';
import { afterAll, afterEach, beforeAll, describe, it } from 'vitest';
import { claimantOf, listenerOf, ownerOf, print } from './faults.ts';
import { Lab, TRIALS_TIMEOUT_MS } from './lab.ts';

describe('a conversation loses nothing and repeats nothing', () => {
  let lab: Lab;

  beforeAll(async () => {
    lab = await Lab.open({ gateways: 2, stt: 2, llm: 2, tts: 2 });
  });
  afterEach(() => lab?.leave());
  afterAll(() => lab?.close());

  it(
    'when its listener is killed in mid-utterance',
    async () => {
      const addedMs = await lab.trials(async (user) => {
        const { session } = user.session;
        await user.event('speech.started');
        await waitUntil(async () => (await lab.system.debug(session)).cursors.input > 24_000);
        await (await listenerOf(lab.system, session)).kill();
      }, lab.replace('stt-worker'));
      print('listener killed', addedMs);
    },
    TRIALS_TIMEOUT_MS,
  );

  it(
    'when its listener is frozen for three seconds and woken',
    async () => {
      const addedMs = await lab.trials(
        async (user) => {
          await user.event('speech.started');
          const victim = await listenerOf(lab.system, user.session.session);
          victim.signal('SIGSTOP');
          setTimeout(() => victim.signal('SIGCONT'), 3_000);
        },
        () => lab.system.ready(),
      );
      print('listener frozen', addedMs);
    },
    TRIALS_TIMEOUT_MS,
  );

  it(
    'when the llm-worker is killed in mid-reply',
    async () => {
      const addedMs = await lab.trials(async (user) => {
        await user.event('reply.clause', () => true, 30_000);
        await (await claimantOf(lab.system, user.session.session, 'reply')).kill();
      }, lab.replace('llm-worker'));
      print('llm-worker killed', addedMs);
    },
    TRIALS_TIMEOUT_MS,
  );

  it(
    'when the tts-worker is killed in mid-clause',
    async () => {
      const addedMs = await lab.trials(async (user) => {
        await user.played(1, 200);
        await (await claimantOf(lab.system, user.session.session, 'speak')).kill();
      }, lab.replace('tts-worker'));
      print('tts-worker killed', addedMs);
    },
    TRIALS_TIMEOUT_MS,
  );

  it(
    'when its gateway is killed in mid-reply',
    async () => {
      const addedMs = await lab.trials(async (user) => {
        await user.played(1, 500);
        await (await ownerOf(lab.system, user.session.session)).kill();
      }, lab.replace('gateway'));
      print('gateway killed', addedMs);
    },
    TRIALS_TIMEOUT_MS,
  );

  it(
    'when its gateway is frozen for three seconds and woken',
    async () => {
      const addedMs = await lab.trials(
        async (user) => {
          await user.played(1, 500);
          const victim = await ownerOf(lab.system, user.session.session);
          victim.signal('SIGSTOP');
          setTimeout(() => victim.signal('SIGCONT'), 3_000);
        },
        () => lab.system.ready(),
      );
      print('gateway frozen', addedMs);
    },
    TRIALS_TIMEOUT_MS,
  );
});
