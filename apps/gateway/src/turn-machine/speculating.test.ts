import type { NewEvent } from '@parley/protocol';
import { describe, expect, it } from 'vitest';
import { fold, isShown, noDecisions, outstandingWork } from './index.ts';
import { Machine, PHASES, RATE_HZ } from './machine-fixture.ts';

const QUESTION = 'what is the weather';
const FIRST = { turn: 1, attempt: 0 } as const;
const SECOND = { turn: 1, attempt: 1 } as const;
const replyRef = (reply: { turn: number; attempt: number }) => ({ stage: 'reply', ...reply }) as const;
const clauseRef = (clause: number) => ({ stage: 'speak', ...FIRST, clause }) as const;
const DISCARDED = { type: 'reply.cancelled', ...FIRST, reason: 'speculation', held: true };

/** Somebody has asked, and may be done. */
function asked(text = QUESTION): Machine {
  const machine = new Machine();
  machine.startSpeech(1);
  machine.confirmSpeech(1);
  machine.eager(1, text, 1_000);
  return machine;
}

/** The reply to it is in the making behind the stage: two of three clauses are spoken. */
function prepared(): Machine {
  const machine = asked();
  for (const [clause, text] of ['It is fine.', 'Take no coat.', 'Nor an umbrella.'].entries()) {
    machine.delta(`${text} `);
    machine.clause(clause, text);
  }
  machine.speak(0, RATE_HZ);
  return machine;
}

describe('a reply prepared ahead', () => {
  it('is begun where the utterance may be over, and neither shown nor put into the history', () => {
    const machine = new Machine();
    machine.startSpeech(1);
    const { generation } = machine.state;
    const decided = machine.eager(1, ` ${QUESTION} `, 1_000);
    expect(decided).toEqual({
      ...noDecisions(),
      events: [{ type: 'reply.started', ...FIRST, held: true }],
      work: {
        ...noDecisions().work,
        create: [{ ref: replyRef(FIRST), input: JSON.stringify({ text: QUESTION, language: 'en' }) }],
      },
      commands: [{ queue: 'reply', ref: replyRef(FIRST), try: 1, deadlineMs: 1_800, held: true }],
    });
    expect(machine.phase).toBe('hearing');
    expect(machine.state).toMatchObject({ reply: null, turn: 0, historyLength: 0, generation });
    expect(machine.state.speculative).toMatchObject({ ...FIRST, held: true, text: QUESTION });
  });

  it('is made like any other, as far as its second clause, and watched', () => {
    const machine = asked();
    const offered = ['One.', 'Two.', 'Three.'].map((text, clause) => machine.clause(clause, text).commands);
    expect(offered).toMatchObject([
      [{ queue: 'speak', ref: clauseRef(0), deadlineMs: 1_800 }],
      [{ queue: 'speak', ref: clauseRef(1) }],
      [],
    ]);
    expect(outstandingWork(machine.state)).toEqual([
      { ref: replyRef(FIRST), try: 1 },
      { ref: clauseRef(0), try: 1 },
      { ref: clauseRef(1), try: 1 },
    ]);
    machine.speakAll();
    machine.doneReplying();
    expect(outstandingWork(machine.state)).toEqual([]);
    expect(machine.state).toMatchObject({ reply: null, generation: 0, speculative: { done: true, played: 0 } });
  });

  it.each([
    ['the session does not want any', (machine: Machine) => machine.eager(1, QUESTION), { speculation: false }],
    ['there are no words', (machine: Machine) => machine.eager(1, ' … '), {}],
    ['the utterance is not the open one', (machine: Machine) => machine.eager(2, QUESTION), {}],
  ])('is not begun where %s', (_where, eager, settings) => {
    const machine = new Machine(settings);
    machine.startSpeech(1);
    expect(eager(machine)).toEqual(noDecisions());
    expect(machine.state.speculative).toBeNull();
  });

  it.each(['thinking', 'speaking'] as const)('is not begun while a reply is on stage: %s', (at) => {
    const machine = PHASES[at]();
    machine.startSpeech(2);
    expect(machine.eager(2, 'and tomorrow')).toEqual(noDecisions());
    machine.confirmSpeech(2);
    expect(machine.eager(2, 'and tomorrow').commands).toHaveLength(1);
  });

  it('is not begun anew for the same words', () => {
    const machine = asked();
    expect(machine.eager(1, 'What is the weather?')).toEqual(noDecisions());
    expect(machine.fold({ type: 'turn.resumed', utterance: 1 })).toEqual(noDecisions());
    expect(machine.eager(1, QUESTION)).toEqual(noDecisions());
    expect(machine.state.utterance?.speculations).toBe(1);
  });

  it('gives way to the reply to other words, as the next attempt', () => {
    const machine = prepared();
    const decided = machine.eager(1, `${QUESTION} in Rome`);
    expect(decided.events).toMatchObject([DISCARDED, { type: 'reply.started', ...SECOND, held: true }]);
    expect(decided.work).toMatchObject({ cancel: [FIRST], create: [{ ref: replyRef(SECOND) }] });
    expect(decided.effects).toEqual([
      {
        kind: 'cancel',
        reply: FIRST,
        work: [
          { ref: replyRef(FIRST), try: 1 },
          { ref: clauseRef(1), try: 1 },
        ],
      },
    ]);
    expect(machine.state.speculative).toMatchObject({ ...SECOND, heldText: '', clauses: [] });
  });

  it('is begun four times for an utterance, and not again', () => {
    const machine = asked('one');
    for (const text of ['one two', 'one two three', 'one two three four']) {
      expect(machine.eager(1, text).commands).toHaveLength(1);
    }
    const fifth = machine.eager(1, 'one two three four five');
    expect(fifth).toMatchObject({ events: [{ type: 'reply.cancelled', turn: 1, attempt: 3, held: true }] });
    expect(fifth.commands).toEqual([]);
    expect(machine.eager(1, 'one two three four five')).toEqual(noDecisions());
    machine.endTurn(1, 'one two three four five');
    expect(machine.state.reply).toMatchObject({ turn: 1, attempt: 4, text: 'one two three four five', held: false });
    machine.doneReplying();
    machine.startSpeech(2);
    expect(machine.eager(2, 'one').commands).toHaveLength(1);
  });
});

describe('a prepared reply, when the turn is over', () => {
  it.each([QUESTION, 'What is the weather?', ' what is, the  WEATHER! '])('is released for %j', (text) => {
    const machine = prepared();
    const { generation } = machine.state;
    const decided = machine.endTurn(1, text, 2_000);
    expect(decided.events).toEqual([
      { type: 'reply.released', ...FIRST, text: 'It is fine. Take no coat. Nor an umbrella. ' },
      { type: 'reply.clause', ...FIRST, clause: 0, text: 'It is fine.' },
      { type: 'reply.clause', ...FIRST, clause: 1, text: 'Take no coat.' },
      { type: 'reply.clause', ...FIRST, clause: 2, text: 'Nor an umbrella.' },
    ]);
    expect(decided.effects).toEqual([{ kind: 'release', reply: FIRST }]);
    expect(decided.history).toEqual([{ push: { role: 'user', turn: 1, text: text.trim() } }]);
    expect(decided.work).toMatchObject({ cancel: [], raiseTry: [], dropTurnsBefore: 1 });
    expect(decided.commands).toMatchObject([{ queue: 'speak', ref: clauseRef(2), deadlineMs: 3_000 }]);
    expect(machine.phase).toBe('thinking');
    expect(machine.state).toMatchObject({
      speculative: null,
      generation: generation + 1,
      turn: 1,
      userIndex: 0,
      historyLength: 1,
      reply: { ...FIRST, held: false, heldText: '', generation: generation + 1, decidedAt: 2_000, text: QUESTION },
    });
  });

  it('goes on as any reply does', () => {
    const machine = prepared();
    machine.endTurn(1, QUESTION);
    machine.clause(3, 'Enjoy.');
    machine.doneReplying();
    machine.speakAll();
    expect(machine.play(1).history).toEqual([]);
    expect(machine.phase).toBe('speaking');
    expect(machine.play(4 * RATE_HZ).history).toMatchObject([
      { push: { role: 'assistant', ...FIRST, text: 'It is fine. Take no coat. Nor an umbrella. Enjoy.' } },
    ]);
  });

  it('is shown with its end where all of it has been said', () => {
    const machine = prepared();
    machine.doneReplying();
    const { events } = machine.endTurn(1, QUESTION);
    expect(events.map(({ type }) => type)).toEqual([
      'reply.released',
      ...['reply.clause', 'reply.clause', 'reply.clause', 'reply.done'],
    ]);
    const text = 'It is fine. Take no coat. Nor an umbrella. ';
    expect(events.at(-1)).toMatchObject({ ...FIRST, text, clauses: 3, finish: 'stop' });
  });

  it('and has nothing to say, is over at once', () => {
    const machine = asked();
    machine.doneReplying();
    expect(machine.endTurn(1, QUESTION).events.map(({ type }) => type)).toEqual(['reply.released', 'reply.done']);
    expect(machine.state).toMatchObject({ reply: null, speculative: null, historyLength: 1 });
  });

  it('changes nothing but how far it has been shown when its own copies come back from the log', () => {
    const machine = prepared();
    const { events } = machine.endTurn(1, QUESTION);
    const before = machine.state;
    for (const event of events) expect(machine.fold(event)).toEqual(noDecisions());
    const { lastEvent, showings, released } = machine.state;
    expect(showings).toEqual([]);
    expect(released).toMatchObject([{ ...FIRST, until: lastEvent }]);
    const { lastEvent: _, showings: __, released: ___, ...rest } = before;
    expect(machine.state).toMatchObject(rest);
  });

  it('is released although speculation has been switched off meanwhile', () => {
    const machine = prepared();
    machine.fold({ type: 'input.settings', settings: { speculation: false } });
    expect(machine.endTurn(1, QUESTION).events).toMatchObject([{ type: 'reply.released' }, {}, {}, {}]);
  });

  it.each([
    [QUESTION, `${QUESTION} in Rome`],
    [QUESTION, 'what is whether'],
    ['what is 2+2', 'what is 2-2'],
    ['how much is 5€', 'how much is 5$'],
  ])('is thrown away everywhere where %j became %j, and the next attempt answers', (eager, said) => {
    const machine = asked(eager);
    machine.clause(0, 'It is fine.');
    const decided = machine.endTurn(1, said);
    expect(decided.events).toMatchObject([DISCARDED, { type: 'reply.started', ...SECOND }]);
    expect(decided.events.at(-1)).not.toHaveProperty('held');
    expect(decided.work).toMatchObject({ cancel: [FIRST], create: [{ ref: replyRef(SECOND) }], dropTurnsBefore: 1 });
    expect(decided.commands).toMatchObject([{ queue: 'reply', ref: replyRef(SECOND), try: 1 }]);
    expect(decided.commands[0]).not.toHaveProperty('held');
    expect(decided.effects).toMatchObject([{ kind: 'cancel', reply: FIRST, work: [{}, { ref: clauseRef(0) }] }]);
    expect(decided.history).toEqual([{ push: { role: 'user', turn: 1, text: said } }]);
    expect(machine.state).toMatchObject({ speculative: null, generation: 1, reply: { ...SECOND, text: said } });
  });

  it('is thrown away where there were no words after all', () => {
    const machine = prepared();
    const decided = machine.endTurn(1, '');
    expect(decided).toMatchObject({ events: [DISCARDED], history: [], commands: [], work: { cancel: [FIRST] } });
    expect(machine.state).toMatchObject({ speculative: null, reply: null, generation: 0, turn: 0 });
  });

  it('answers one end, however often it is written', () => {
    const machine = prepared();
    machine.endTurn(1, QUESTION);
    const before = machine.state;
    expect(machine.endTurn(1, QUESTION)).toEqual(noDecisions());
    expect(machine.endTurn(1, `${QUESTION} again`)).toEqual(noDecisions());
    expect(machine.startSpeech(1)).toEqual(noDecisions());
    expect({ ...machine.state, lastEvent: before.lastEvent }).toEqual(before);
  });
});

describe('a prepared reply, before the turn is over', () => {
  it.each(['wh', 'what is', 'What is the weather?', ''])('is kept while the words are heard again: %j', (text) => {
    const machine = prepared();
    expect(machine.partial(1, text)).toEqual(noDecisions());
    expect(machine.state.speculative).not.toBeNull();
  });

  it.each([`${QUESTION} in`, 'which'])('is thrown away as soon as other words are heard: %j', (text) => {
    const machine = prepared();
    expect(machine.partial(1, text)).toMatchObject({ events: [DISCARDED], work: { cancel: [FIRST] } });
    expect(machine.partial(1, text)).toEqual(noDecisions());
    machine.endTurn(1, QUESTION);
    expect(machine.state.reply).toMatchObject({ ...SECOND, text: QUESTION });
  });

  it.each<[string, NewEvent]>([
    ['typed text', { type: 'input.text', text: 'never mind' }],
    ['an interruption by the client', { type: 'input.interrupt' }],
  ])('is thrown away by %s', (_by, input) => {
    const machine = prepared();
    expect(machine.fold(input)).toMatchObject({ work: { cancel: [FIRST] } });
    expect(machine.steps.at(-1)?.events[0]).toEqual(DISCARDED);
    expect(machine.state.speculative).toBeNull();
  });

  it('is thrown away with speech that is given up', () => {
    const machine = prepared();
    for (let death = 0; death < 2; death += 1) machine.loseListener('silent', 0, 900);
    const decided = machine.loseListener('silent', 0, 900);
    expect(decided.events).toMatchObject([{ type: 'stage.failed', stage: 'listen' }, DISCARDED]);
    expect(decided.skipTo).toBeDefined();
    expect(machine.state).toMatchObject({ speculative: null, utterance: null });
  });

  it('cannot have been heard, whatever is reported', () => {
    const machine = prepared();
    expect(machine.play(RATE_HZ)).toEqual(noDecisions());
    expect(machine.state.speculative?.played).toBe(0);
  });

  it('answers all of a re-opened turn', () => {
    const machine = PHASES.thinking();
    machine.cutIn(2);
    const decided = machine.eager(2, 'in Rome');
    expect(JSON.parse(decided.work.create[0]?.input ?? '')).toMatchObject({ text: `${QUESTION} in Rome` });
    expect(decided.history).toEqual([]);
    expect(machine.state.speculative).toMatchObject(SECOND);
    const released = machine.endTurn(2, 'in Rome.');
    expect(released.events).toMatchObject([{ type: 'reply.released', ...SECOND }]);
    expect(released.history).toEqual([{ set: 0, message: { role: 'user', turn: 1, text: `${QUESTION} in Rome.` } }]);
    expect(machine.state).toMatchObject({ reopened: null, resumable: null, historyLength: 1, turn: 1 });
  });
});

describe('lost work of a prepared reply', () => {
  it('is offered again, and still is nothing to be shown', () => {
    const machine = prepared();
    expect(machine.lose(undefined).commands).toMatchObject([
      { queue: 'reply', ref: replyRef(FIRST), try: 2, held: true },
    ]);
    expect(machine.lose(1).commands).toMatchObject([{ queue: 'speak', ref: clauseRef(1), try: 2 }]);
    expect(machine.state.speculative).toMatchObject({ try: 2, deaths: 1 });
  });

  it('leaves its successor what was published, and after the release is offered like any other', () => {
    const machine = prepared();
    const [raised] = machine.lose(undefined).work.raiseTry;
    expect(JSON.parse(raised?.input ?? '').published).toHaveLength(3);
    machine.endTurn(1, QUESTION);
    const [command] = machine.lose(undefined).commands;
    expect(command).toMatchObject({ queue: 'reply', try: 3 });
    expect(command).not.toHaveProperty('held');
  });

  it.each<[string, (machine: Machine) => void]>([
    ['reply that costs a third worker', (m) => [1, 2, 3].forEach(() => void m.lose(undefined))],
    ['clause that costs a third worker', (m) => [1, 2, 3].forEach(() => void m.lose(1))],
    ['reply that nobody can make', (m) => void m.lose(undefined, 'no_worker')],
    ['clause that nobody can speak', (m) => void m.lose(1, 'no_worker')],
    [
      'reply that its engine rejects',
      (m) =>
        void m.fold({ type: 'work.failed', ...replyRef(FIRST), code: 'engine_rejected', retryable: false, try: 1 }),
    ],
  ])('of a %s is thrown away without a word to the client', (_what, lose) => {
    const machine = prepared();
    const before = machine.steps.length;
    lose(machine);
    const events = machine.steps.slice(before).flatMap((step) => step.events);
    expect(events).toEqual([DISCARDED]);
    expect(machine.steps.at(-1)).toMatchObject({ history: [], work: { cancel: [FIRST] } });
    expect(machine.state).toMatchObject({ speculative: null, reply: null });
    machine.endTurn(1, QUESTION);
    expect(machine.state.reply).toMatchObject({ ...SECOND, text: QUESTION, clauses: [] });
  });

  it('of one thrown away is of no interest', () => {
    const machine = prepared();
    machine.partial(1, 'which');
    const holder = { type: 'holder.lost', try: 1, reason: 'silent' } as const;
    expect(machine.fold({ ...holder, stage: 'reply', holder: 'reply.1.0' })).toEqual(noDecisions());
    expect(machine.fold({ ...holder, stage: 'speak', holder: 'speak.1.0.1' })).toEqual(noDecisions());
  });
});

describe('attempts', () => {
  it('are numbered by turn, although another turn was prepared between', () => {
    const machine = PHASES.speaking();
    machine.cutIn(2);
    machine.eager(2, 'yeah');
    expect(machine.state.speculative).toMatchObject({ turn: 2, attempt: 0 });
    machine.endTurn(2, 'yeah');
    expect(machine.state).toMatchObject({ speculative: null, reply: { turn: 1, attempt: 1 } });
    machine.cutIn(3);
    machine.eager(3, 'and tomorrow');
    expect(machine.state.speculative).toMatchObject({ turn: 2, attempt: 1 });
    machine.endTurn(3, 'mm-hmm');
    expect(machine.state.reply).toMatchObject({ turn: 1, attempt: 2 });
  });

  it('at a turn that goes on keep its work, also where both are decided in one commit', () => {
    const machine = PHASES.speaking();
    machine.cutIn(2);
    const decide = noDecisions();
    const eager = machine.entry({ type: 'turn.eager', utterance: 2, text: 'yeah', probability: 0.9 });
    const ended = { type: 'turn.ended', utterance: 2, text: 'yeah', sample: 8_000, decidedSample: 9_000 } as const;
    const state = fold(fold(machine.state, eager, decide), { ...ended, id: '2-1', at: 999 }, decide);
    expect(state.reply).toMatchObject({ turn: 1, attempt: 1 });
    expect(decide.work.create).toMatchObject([{ ref: { turn: 2 } }, { ref: { turn: 1 } }, {}, {}]);
    expect(decide.work.dropTurnsBefore).toBe(0);
  });
});

describe('what a held reply says', () => {
  const delta = { type: 'reply.delta', ...FIRST, text: 'x', held: true } as const;
  const clause = { type: 'reply.clause', ...FIRST, clause: 3, text: 'X.', held: true } as const;
  const done = { type: 'reply.done', ...FIRST, text: 'X.', clauses: 4, finish: 'stop', held: true } as const;
  const SAID: NewEvent[] = [delta, clause, done];

  it('is shown once it is released, also where the worker has not heard of that', () => {
    const machine = prepared();
    const early = SAID.map((event) => machine.entry(event));
    for (const event of early) expect(isShown(machine.state, event)).toBe(false);
    machine.endTurn(1, QUESTION);
    // Those before it are in what the release tells.
    for (const event of early) expect(isShown(machine.state, event)).toBe(false);
    for (const event of SAID) expect(isShown(machine.state, machine.entry(event))).toBe(true);
  });

  it('is never shown of one thrown away, nor that it was begun or cancelled', () => {
    const machine = prepared();
    const { events } = machine.partial(1, 'which');
    machine.endTurn(1, 'which');
    for (const event of [...SAID, ...events, { type: 'reply.started', ...FIRST, held: true } as const]) {
      expect(isShown(machine.state, machine.entry(event))).toBe(false);
    }
  });

  it('is not shown any more after an interruption', () => {
    const machine = prepared();
    machine.endTurn(1, QUESTION);
    const between = machine.entry(delta);
    machine.fold(delta);
    machine.fold({ type: 'input.interrupt' });
    expect(isShown(machine.state, between)).toBe(true);
    for (const event of SAID) expect(isShown(machine.state, machine.entry(event))).toBe(false);
  });
});
