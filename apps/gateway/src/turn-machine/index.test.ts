import { EVENT_TYPES, type EventType, type NewEvent } from '@parley/protocol';
import { describe, expect, it } from 'vitest';
import { isShown, mustCommit, noDecisions, outstandingWork, turnOf } from './index.ts';
import { Machine, PHASES, RATE_HZ } from './machine-fixture.ts';

/** One event of every type, as it would come in the first turn. */
const ONE_OF_EACH: { readonly [T in EventType]: NewEvent<T> } = {
  'speech.started': { type: 'speech.started', utterance: 2, sample: 100 },
  'speech.confirmed': { type: 'speech.confirmed', utterance: 1, samples: 3_200 },
  'speech.stopped': { type: 'speech.stopped', utterance: 1, sample: 100 },
  'transcript.partial': { type: 'transcript.partial', utterance: 1, text: 'what' },
  'transcript.final': { type: 'transcript.final', utterance: 1, text: 'what', fromSample: 0, toSample: 100 },
  'turn.eager': { type: 'turn.eager', utterance: 1, text: 'what', probability: 0.5 },
  'turn.resumed': { type: 'turn.resumed', utterance: 1 },
  'turn.ended': { type: 'turn.ended', utterance: 2, text: 'and tomorrow', sample: 100, decidedSample: 200 },
  'lease.offered': { type: 'lease.offered', fence: '' },
  'lease.moved': { type: 'lease.moved', fence: 'f1', worker: 'w1' },
  'reply.delta': { type: 'reply.delta', turn: 1, attempt: 0, text: 'The' },
  'reply.clause': { type: 'reply.clause', turn: 1, attempt: 0, clause: 1, text: 'Yes.' },
  'reply.done': { type: 'reply.done', turn: 1, attempt: 0, text: '', clauses: 1, finish: 'stop' },
  'tool.call': { type: 'tool.call', turn: 1, attempt: 0, call: 'c1', name: 'clock', arguments: '{}' },
  'audio.chunk': { type: 'audio.chunk', turn: 1, attempt: 0, clause: 0, startSample: 0, samples: 960 },
  'audio.done': { type: 'audio.done', turn: 1, attempt: 0, clause: 0, samples: RATE_HZ },
  'work.failed': { type: 'work.failed', stage: 'reply', turn: 1, attempt: 0, code: 'engine_failed', retryable: true },
  'input.text': { type: 'input.text', text: 'hello' },
  'input.interrupt': { type: 'input.interrupt' },
  'input.commit': { type: 'input.commit' },
  'input.settings': { type: 'input.settings', settings: { speed: 1.5 } },
  'input.tool_result': { type: 'input.tool_result', call: 'c1', result: '12' },
  'input.reset': { type: 'input.reset' },
  'input.close': { type: 'input.close', reason: 'client' },
  'timer.fired': { type: 'timer.fired', name: 'idle', since: '1-1' },
  playback: { type: 'playback', turn: 1, attempt: 0, samples: 480 },
  'holder.lost': { type: 'holder.lost', stage: 'reply', holder: 'reply.1.0', try: 1, reason: 'silent' },
  'audio.lost': { type: 'audio.lost', fromSample: 0, ms: 40, reason: 'gap' },
  'reply.started': { type: 'reply.started', turn: 1, attempt: 0 },
  'reply.released': { type: 'reply.released', turn: 1, attempt: 0, text: '' },
  'reply.cancelled': { type: 'reply.cancelled', turn: 1, attempt: 0, reason: 'text' },
  'reply.truncated': { type: 'reply.truncated', turn: 1, attempt: 0, heard: '', samples: 0 },
  'stage.failed': { type: 'stage.failed', stage: 'speak', code: 'internal', message: '', retryable: true },
  'turn.metrics': {
    ...{ type: 'turn.metrics', turn: 1, attempt: 0, totalMs: 900 },
    ...{ endOfTurnMs: 700, queueMs: 4, firstTokenMs: 100, firstClauseMs: 50, firstAudioMs: 40, firstSendMs: 6 },
  },
  'session.updated': { type: 'session.updated', settings: new Machine().state.settings },
  'session.reset': { type: 'session.reset' },
  'session.moved': { type: 'session.moved', owner: 'g1', epoch: 2 },
  'session.closed': { type: 'session.closed', reason: 'client' },
};

/** The last clause is synthesised and the user has heard all. */
function playToTheEnd(machine: Machine): void {
  machine.speak(1, RATE_HZ);
  machine.doneReplying();
  machine.play(3 * RATE_HZ);
}

describe('the phases of a turn', () => {
  it.each([
    ['idle', 'hearing', 'speech.started', (m: Machine) => m.startSpeech(1)],
    ['idle', 'thinking', 'input.text', (m: Machine) => m.fold({ type: 'input.text', text: 'hello' })],
    ['hearing', 'thinking', 'turn.ended with words', (m: Machine) => m.endTurn(1, 'hello')],
    ['hearing', 'idle', 'turn.ended without words', (m: Machine) => m.endTurn(1, '  ')],
    ['thinking', 'idle', 'input.interrupt', (m: Machine) => m.fold({ type: 'input.interrupt' })],
    [
      'thinking',
      'thinking',
      'a reply given up',
      (m: Machine) => m.fold({ ...failed, code: 'engine_missing' }),
      'unsaid',
    ],
    ['speaking', 'idle', 'all played', playToTheEnd],
    ['speaking', 'idle', 'input.interrupt', (m: Machine) => m.fold({ type: 'input.interrupt' })],
    ['idle', 'closed', 'input.close', (m: Machine) => m.fold({ type: 'input.close', reason: 'client' })],
    ['speaking', 'closed', 'input.close', (m: Machine) => m.fold({ type: 'input.close', reason: 'client' })],
  ] as const)('%s becomes %s by %s', (from, to, _event, move, unsaid?: 'unsaid') => {
    const machine = unsaid ? new Machine() : PHASES[from]();
    if (unsaid) machine.say(1, 'hello');
    expect(machine.phase).toBe(from);
    move(machine);
    expect(machine.phase).toBe(to);
  });

  const failed = { type: 'work.failed', stage: 'reply', turn: 1, attempt: 0, try: 1, retryable: false } as const;

  it('thinking becomes speaking by playback', () => {
    const machine = PHASES.thinking();
    machine.audio(0, 0, 960);
    machine.play(480);
    expect(machine.phase).toBe('speaking');
  });

  it.each(['thinking', 'speaking'] as const)('%s becomes hearing by confirmed speech', (from) => {
    const machine = PHASES[from]();
    machine.startSpeech(2);
    expect(machine.phase).toBe(from);
    machine.confirmSpeech(2);
    expect(machine.phase).toBe('hearing');
  });

  it('hearing becomes thinking again where the words never came and a reply had been cut off unheard', () => {
    const machine = PHASES.thinking();
    machine.startSpeech(2);
    machine.confirmSpeech(2);
    machine.endTurn(2, '');
    expect(machine.phase).toBe('thinking');
    expect(machine.state.reply).toMatchObject({ turn: 1, attempt: 1, text: 'what is the weather' });
  });

  it('know every type of event', () => {
    expect(Object.keys(ONE_OF_EACH).sort()).toEqual([...EVENT_TYPES].sort());
  });

  const everywhere = Object.keys(PHASES).flatMap((at) => EVENT_TYPES.map((type) => [at as keyof typeof PHASES, type]));
  it.each(everywhere as [keyof typeof PHASES, EventType][])(
    'in %s, %s leaves a session that still answers',
    (at, type) => {
      const machine = PHASES[at]();
      machine.fold(ONE_OF_EACH[type]);
      expect(machine.state).toEqual(JSON.parse(JSON.stringify(machine.state)));
      machine.fold({ type: 'input.text', text: 'still there?' });
      if (at === 'closed' || type === 'input.close') return expect(machine.phase).toBe('closed');
      expect(machine.state.reply?.text).toBe('still there?');
      machine.clause(0, 'Yes.');
      machine.doneReplying();
      machine.speak(0, 960);
      expect(machine.play(960).history).toMatchObject([{ push: { role: 'assistant', text: 'Yes.' } }]);
      expect(machine.state.reply).toBeNull();
    },
  );

  it.each(EVENT_TYPES)('a closed session decides nothing on %s', (type) => {
    const machine = PHASES.closed();
    expect(machine.fold(ONE_OF_EACH[type])).toEqual(noDecisions());
  });

  it.each(['reply.started', 'reply.released', 'reply.cancelled', 'reply.truncated', 'stage.failed'] as const)(
    'the own output %s changes nothing but the cursor',
    (type) => {
      const machine = PHASES.speaking();
      const before = machine.state;
      expect(machine.fold(ONE_OF_EACH[type])).toEqual(noDecisions());
      expect({ ...machine.state, lastEvent: before.lastEvent }).toEqual(before);
    },
  );
});

describe('folding', () => {
  it('offers a new session to the listeners first', () => {
    const machine = new Machine();
    expect(machine.opened.commands).toEqual([{ queue: 'listen', number: 1, expect: '', trace: undefined }]);
    expect(mustCommit(machine.opened)).toBe(true);
  });

  it('ignores an event that has been folded already, and any before it', () => {
    const machine = new Machine();
    const first = machine.entry({ type: 'input.text', text: 'one' });
    machine.foldEntry(first);
    machine.fold({ type: 'input.commit' });
    machine.fold({ type: 'input.commit' });
    const before = machine.state;
    expect(machine.foldEntry(first)).toEqual(noDecisions());
    expect(machine.state).toBe(before);
  });

  it('goes by epoch before sequence', () => {
    const machine = new Machine();
    machine.foldEntry({ type: 'input.text', text: 'one', id: '1-9', at: 1 });
    machine.foldEntry({ type: 'input.interrupt', id: '2-1', at: 2 });
    expect(machine.state.lastEvent).toBe('2-1');
    expect(machine.state.reply).toBeNull();
    machine.foldEntry({ type: 'input.text', text: 'late', id: '1-10', at: 3 });
    expect(machine.state.reply).toBeNull();
  });

  it('needs no commit for partials, text and audio on their way', () => {
    const machine = PHASES.speaking();
    for (const type of ['transcript.partial', 'reply.delta', 'audio.chunk', 'lease.moved'] as const) {
      expect(mustCommit(machine.fold(ONE_OF_EACH[type]))).toBe(false);
    }
  });
});

describe('settings', () => {
  it('are changed in part, told to the client and kept for the session', () => {
    const machine = new Machine();
    const decided = machine.fold({ type: 'input.settings', settings: { speed: 1.5, voice: undefined } });
    expect(machine.state.settings).toEqual({ ...new Machine().state.settings, speed: 1.5 });
    expect(decided.settings).toEqual(machine.state.settings);
    expect(decided.events).toEqual([{ type: 'session.updated', settings: machine.state.settings }]);
  });

  it('hold for the clauses offered from then on', () => {
    const machine = PHASES.thinking();
    machine.fold({ type: 'input.settings', settings: { voice: 'rms' } });
    const [created] = machine.clause(1, 'Take a coat.').work.create;
    expect(JSON.parse(created?.input ?? '')).toMatchObject({ text: 'Take a coat.', voice: 'rms', rateHz: RATE_HZ });
  });
});

describe('closing', () => {
  it('is told once', () => {
    const machine = new Machine();
    const close = { type: 'input.close', reason: 'client' } as const;
    expect(machine.fold(close).events).toEqual([{ type: 'session.closed', reason: 'client' }]);
    expect(machine.fold(close).events).toEqual([]);
  });
});

describe('the turn of an event', () => {
  it('is its own where it has one, else that of its utterance', () => {
    const machine = new Machine();
    machine.say(1, 'one');
    machine.fold({ type: 'input.interrupt' });
    machine.say(2, 'two');
    expect(turnOf(machine.state, { type: 'reply.delta', turn: 7, attempt: 0, text: '' })).toBe(7);
    expect(turnOf(machine.state, { type: 'transcript.partial', utterance: 1, text: '' })).toBe(1);
    expect(turnOf(machine.state, { type: 'transcript.partial', utterance: 2, text: '' })).toBe(2);
    expect(turnOf(machine.state, { type: 'transcript.partial', utterance: 3, text: '' })).toBeUndefined();
    expect(turnOf(machine.state, { type: 'input.commit' })).toBeUndefined();
  });

  it('is the re-opened one for speech that goes on', () => {
    const machine = PHASES.thinking();
    machine.startSpeech(2);
    machine.confirmSpeech(2);
    expect(turnOf(machine.state, { type: 'transcript.partial', utterance: 2, text: '' })).toBe(1);
    machine.endTurn(2, 'in Rome');
    expect(turnOf(machine.state, { type: 'turn.ended', utterance: 2, text: '', sample: 0, decidedSample: 0 })).toBe(1);
  });

  it('is forgotten for utterances long past, so that the state stays small', () => {
    const machine = new Machine();
    for (let utterance = 1; utterance <= 200; utterance += 1) machine.say(utterance, 'again');
    expect(machine.state.utteranceTurns.length).toBeLessThanOrEqual(64);
    expect(machine.state.stopped.length).toBeLessThanOrEqual(16);
    // Nothing was heard of any reply, so all of it is one turn, and that text alone grows.
    expect(JSON.stringify({ ...machine.state, reply: null }).length).toBeLessThan(4_000);
  });
});

describe('late text of a reply', () => {
  it('is what comes after the event that stopped it', () => {
    const machine = PHASES.speaking();
    const delta = { type: 'reply.delta', turn: 1, attempt: 0, text: 'x' } as const;
    const before = machine.entry(delta);
    machine.fold(delta);
    machine.fold({ type: 'input.interrupt' });
    expect(isShown(machine.state, before)).toBe(true);
    expect(isShown(machine.state, machine.entry(delta))).toBe(false);
    expect(isShown(machine.state, machine.entry({ ...delta, attempt: 1 }))).toBe(true);
    expect(isShown(machine.state, machine.entry({ type: 'input.commit' }))).toBe(false);
  });
});

describe('outstanding work', () => {
  it('is the reply until all is said, and the clauses that are being spoken', () => {
    const machine = new Machine();
    expect(outstandingWork(machine.state)).toEqual([]);
    machine.say(1, 'hello');
    const reply = { ref: { stage: 'reply', turn: 1, attempt: 0 }, try: 1 };
    const clause = (number: number) => ({ ref: { stage: 'speak', turn: 1, attempt: 0, clause: number }, try: 1 });
    expect(outstandingWork(machine.state)).toEqual([reply]);
    machine.clause(0, 'One.');
    machine.clause(1, 'Two.');
    machine.clause(2, 'Three.');
    expect(outstandingWork(machine.state)).toEqual([reply, clause(0), clause(1)]);
    machine.doneReplying();
    machine.speak(0, 960);
    expect(outstandingWork(machine.state)).toEqual([clause(1), clause(2)]);
  });
});
