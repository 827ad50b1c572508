import type { NewEvent, SessionEvent } from '@parley/protocol';
import { describe, expect, it } from 'vitest';
import { fold, isShown, noDecisions, type TurnState } from './index.ts';
import { Machine, PHASES, RATE_HZ } from './machine-fixture.ts';

const RESET: NewEvent = { type: 'input.reset' };
const GREETING = 'Hello there. How are you?';

/** A machine at each moment at which somebody may want to begin anew. */
const MOMENTS: Readonly<Record<string, (machine: Machine) => void>> = {
  'nothing has been said': () => undefined,
  'the user speaks': (machine) => void machine.startSpeech(1),
  'a reply is prepared': (machine) => {
    machine.startSpeech(1);
    machine.eager(1, 'what is the weather');
    machine.clause(0, 'The weather is fine today.');
  },
  'a reply is thought of': (machine) => void machine.say(1, 'what is the weather'),
  'a tool runs': (machine) => {
    machine.say(1, 'what is the weather');
    machine.fold({ type: 'tool.call', turn: 1, attempt: 0, call: 'c1', name: 'weather', arguments: '{}' });
  },
  'a reply is played': (machine) => {
    machine.say(1, 'what is the weather');
    machine.clause(0, 'The weather is fine today.');
    machine.speak(0, 2 * RATE_HZ);
    machine.play(RATE_HZ);
  },
  'the last sample of a reply is played': (machine) => {
    machine.say(1, 'what is the weather');
    machine.clause(0, 'The weather is fine today.');
    machine.speak(0, 2 * RATE_HZ);
    machine.doneReplying();
    machine.play(2 * RATE_HZ - 1);
  },
  'a reply has been played': (machine) => {
    machine.say(1, 'what is the weather');
    machine.clause(0, 'The weather is fine today.');
    machine.speak(0, 2 * RATE_HZ);
    machine.doneReplying();
    machine.play(2 * RATE_HZ);
  },
  'the user speaks over a reply': (machine) => {
    machine.say(1, 'what is the weather');
    machine.clause(0, 'The weather is fine today.');
    machine.speak(0, 2 * RATE_HZ);
    machine.play(RATE_HZ);
    machine.startSpeech(2);
  },
  'the user has cut in': (machine) => {
    machine.say(1, 'what is the weather');
    machine.clause(0, 'The weather is fine today.');
    machine.speak(0, 2 * RATE_HZ);
    machine.play(RATE_HZ);
    machine.cutIn(2);
  },
  'a turn is open again': (machine) => {
    machine.say(1, 'what is the weather');
    machine.cutIn(2);
  },
  'it has just been reset': (machine) => void machine.fold(RESET),
};

function machineAt(moment: string, settings: ConstructorParameters<typeof Machine>[0] = {}): Machine {
  const machine = new Machine(settings);
  MOMENTS[moment]?.(machine);
  return machine;
}

describe.each(Object.keys(MOMENTS))('a conversation that is begun anew while %s', (moment) => {
  it('stops everything, and has nothing behind it', () => {
    const machine = machineAt(moment);
    const { generation, reply, speculative, settings } = machine.state;
    const decided = machine.fold(RESET);
    expect(decided.history.at(-1)).toEqual({ clear: true });
    expect(decided.effects.filter(({ kind }) => kind === 'stop')).toMatchObject([{ generation: generation + 1 }]);
    const open = [reply, speculative].flatMap((one) => (one ? [{ turn: one.turn, attempt: one.attempt }] : []));
    expect(decided.work.cancel).toHaveLength(open.length);
    expect(decided.work.cancel).toEqual(expect.arrayContaining(open));
    expect(decided.events.filter(({ type }) => type === 'session.reset')).toHaveLength(1);
    expect(machine.phase).toBe('idle');
    expect(machine.state).toMatchObject({
      generation: generation + 1,
      speculative: null,
      reopened: null,
      resumable: null,
      historyLength: 0,
      settings,
    });
  });

  it('hears the next thing said as its first', () => {
    const machine = machineAt(moment);
    const { turn } = machine.state;
    const open = machine.state.utterance?.number ?? machine.state.endedUtterance;
    machine.fold(RESET);
    const decided = machine.say(open + 1, 'hello');
    expect(decided.history).toEqual([{ push: { role: 'user', turn: turn + 1, text: 'hello' } }]);
    expect(machine.state.reply).toMatchObject({ turn: turn + 1, text: 'hello' });
    machine.clause(0, 'Good day.');
    machine.doneReplying();
    machine.speakAll();
    expect(machine.play(RATE_HZ).history).toMatchObject([{ push: { role: 'assistant', text: 'Good day.' } }]);
    expect(machine.state.historyLength).toBe(2);
  });

  it('greets again, as a turn of its own', () => {
    const machine = machineAt(moment, { greeting: GREETING });
    const { turn } = machine.state;
    const decided = machine.fold(RESET);
    const isReset = decided.events.findIndex(({ type }) => type === 'session.reset');
    const isGreeted = decided.events.findIndex(({ type }) => type === 'reply.started');
    expect(isGreeted).toBeGreaterThan(isReset);
    expect(machine.state.reply).toMatchObject({ turn: turn + 1, text: '', done: true });
    machine.speakAll();
    machine.play(2 * RATE_HZ);
    expect(machine.steps.at(-1)?.history).toMatchObject([{ push: { role: 'assistant', text: GREETING } }]);
    expect(machine.state).toMatchObject({ reply: null, historyLength: 1 });
  });

  it('is the same when it is begun anew twice', () => {
    const [once, twice] = [machineAt(moment), machineAt(moment)];
    once.fold(RESET);
    twice.fold(RESET);
    twice.fold(RESET);
    const plain = ({
      generation: _,
      lastEvent: __,
      quietSince: ___,
      stopped: ____,
      forgotten: _____,
      ...rest
    }: TurnState) => rest;
    expect(plain(twice.state)).toEqual(plain(once.state));
  });

  it('is begun anew by a successor just so', () => {
    const machine = machineAt(moment, { greeting: GREETING });
    const before: TurnState = JSON.parse(JSON.stringify(machine.state));
    const entry = machine.entry(RESET);
    const decided = machine.foldEntry(entry);
    const again = noDecisions();
    expect(fold(before, entry, again)).toEqual(machine.state);
    expect(again).toEqual(decided);
  });
});

describe('what was being said when a conversation was begun anew', () => {
  it('ends at once for the listener, and is dropped with its end', () => {
    const machine = PHASES.hearing();
    const decided = machine.fold(RESET);
    expect(decided.events.map(({ type }) => type)).toEqual(['session.reset', 'input.commit']);
    expect(machine.confirmSpeech(1)).toEqual(noDecisions());
    expect(machine.eager(1, 'the old story')).toEqual(noDecisions());
    expect(machine.endTurn(1, 'the old story')).toEqual(noDecisions());
    expect(machine.state).toMatchObject({ turn: 0, reply: null, historyLength: 0 });
  });

  it('is not told any more, while what is said afterwards is', () => {
    const machine = PHASES.hearing();
    const partial: NewEvent = { type: 'transcript.partial', utterance: 1, text: 'the old' };
    const before = machine.entry(partial);
    machine.fold(partial);
    expect(isShown(machine.state, before)).toBe(true);
    machine.fold(RESET);
    expect(isShown(machine.state, before)).toBe(true);
    const told = (event: NewEvent): boolean => isShown(machine.state, machine.entry(event));
    expect(told(partial)).toBe(false);
    expect(told({ type: 'turn.ended', utterance: 1, text: 'the old', sample: 1, decidedSample: 2 })).toBe(false);
    expect(told({ ...partial, utterance: 2 })).toBe(true);
    const failure = { code: 'engine_failed', message: 'No.', retryable: true };
    expect(told({ type: 'stage.failed', stage: 'listen', utterance: 1, ...failure })).toBe(true);
  });

  it('needs no end where nobody spoke', () => {
    expect(
      PHASES.idle()
        .fold(RESET)
        .events.map(({ type }) => type),
    ).toEqual(['session.reset']);
  });
});

describe('after a conversation was begun anew', () => {
  it('what workers still publish of the old one is passed over and not shown', () => {
    const machine = PHASES.speaking();
    machine.fold(RESET);
    const before = machine.state;
    const old = { turn: 1, attempt: 0 };
    for (const event of [
      { type: 'reply.delta', ...old, text: 'More.' },
      { type: 'reply.clause', ...old, clause: 2, text: 'More.' },
      { type: 'reply.done', ...old, text: '', clauses: 3, finish: 'stop' },
    ] as const) {
      const entry: SessionEvent = machine.entry(event);
      expect(machine.foldEntry(entry)).toEqual(noDecisions());
      expect(isShown(machine.state, entry)).toBe(false);
    }
    for (const event of [
      { type: 'audio.chunk', ...old, clause: 1, startSample: RATE_HZ, samples: 960 },
      { type: 'audio.done', ...old, clause: 1, samples: 2 * RATE_HZ },
      { type: 'playback', ...old, samples: 3 * RATE_HZ },
      { type: 'input.tool_result', call: 'c1', result: '{}' },
      { type: 'holder.lost', stage: 'speak', holder: 'speak.1.0.1', try: 1, reason: 'silent' },
    ] as const)
      expect(machine.fold(event)).toEqual(noDecisions());
    expect(machine.state).toMatchObject({ reply: null, historyLength: 0, generation: before.generation });
  });

  it('the idle prompt is waited for from then on, though it had been said before', () => {
    const machine = new Machine({ idlePrompt: 'Still there?', idlePromptMs: 1_000 });
    machine.fold({ type: 'input.text', text: 'hello' }, 0);
    machine.doneReplying();
    const since = machine.state.quietSince?.id ?? '';
    machine.fold({ type: 'timer.fired', name: 'idle', since });
    machine.speakAll();
    machine.play(RATE_HZ);
    expect(machine.state.prompted).toBe(true);
    const entry = machine.entry(RESET, 5_000);
    machine.fold(RESET, 5_000);
    expect(machine.state).toMatchObject({ prompted: false, quietSince: { id: entry.id, at: 5_000 } });
  });

  it('keeps what was set', () => {
    const machine = PHASES.speaking();
    machine.fold({ type: 'input.settings', settings: { voice: 'slt', patience: 80 } });
    machine.fold(RESET);
    expect(machine.state.settings).toMatchObject({ voice: 'slt', patience: 80 });
  });
});
