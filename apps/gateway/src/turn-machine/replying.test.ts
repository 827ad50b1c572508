import { describe, expect, it } from 'vitest';
import { apologyIn } from './apologies.ts';
import { noDecisions } from './index.ts';
import { Machine, PHASES, RATE_HZ } from './machine-fixture.ts';

/** A machine whose reply is in the making, decided at 1 000 ms. */
function thinking(): Machine {
  const machine = new Machine();
  machine.startSpeech(1);
  machine.endTurn(1, 'tell me a story', 1_000);
  return machine;
}

const REPLY = { stage: 'reply', turn: 1, attempt: 0 } as const;
/** What is told of an apology, the given attempt at the first turn. */
const apology = (attempt: number) => [
  { type: 'reply.started', turn: 1, attempt },
  { type: 'reply.delta', turn: 1, attempt, text: apologyIn('en') },
  { type: 'reply.clause', turn: 1, attempt, clause: 0 },
  { type: 'reply.clause', turn: 1, attempt, clause: 1 },
  { type: 'reply.done', turn: 1, attempt, text: apologyIn('en'), clauses: 2, finish: 'verbatim' },
];
const clauseRef = (clause: number) => ({ stage: 'speak', turn: 1, attempt: 0, clause }) as const;

describe('a reply', () => {
  it('starts with its work, its offer and the user message in one step', () => {
    const machine = new Machine();
    machine.startSpeech(1);
    const decided = machine.endTurn(1, ' tell me a story ', 1_000);
    expect(decided.work.create).toEqual([
      { ref: REPLY, input: JSON.stringify({ text: 'tell me a story', language: 'en' }) },
    ]);
    expect(decided.work.dropTurnsBefore).toBe(1);
    expect(decided.commands).toMatchObject([{ queue: 'reply', ref: REPLY, try: 1, deadlineMs: 1_800 }]);
    expect(decided.history).toEqual([{ push: { role: 'user', turn: 1, text: 'tell me a story' } }]);
    expect(decided.events).toMatchObject([{ type: 'reply.started', turn: 1, attempt: 0 }]);
  });

  it('carries the trace of what was said through all of its work', () => {
    const machine = new Machine();
    const trace = '00-11111111111111111111111111111111-2222222222222222-01';
    const decided = machine.fold({ type: 'input.text', text: 'hello', trace });
    expect(decided.commands).toMatchObject([{ trace }]);
    expect(decided.events).toMatchObject([{ trace }]);
    expect(machine.clause(0, 'Hi.').commands).toMatchObject([{ queue: 'speak', trace }]);
  });

  it('ends when all is said, spoken and played, and only then', () => {
    const machine = thinking();
    machine.clause(0, 'Once upon a time.');
    machine.speak(0, 1_000);
    machine.play(1_000);
    expect(machine.phase).toBe('speaking');
    machine.clause(1, 'The end.');
    machine.doneReplying();
    expect(machine.phase).toBe('speaking');
    machine.speak(1, 500);
    expect(machine.play(1_499).history).toEqual([]);
    expect(machine.play(1_500).history).toEqual([
      { push: { role: 'assistant', turn: 1, attempt: 0, text: 'Once upon a time. The end.' } },
    ]);
    expect(machine.state).toMatchObject({ reply: null, historyLength: 2 });
  });

  it('ends by its last event where that is the end of the text', () => {
    const machine = thinking();
    machine.clause(0, 'Hi.');
    machine.speak(0, 500);
    machine.play(500);
    expect(machine.doneReplying().history).toMatchObject([{ push: { text: 'Hi.' } }]);
  });

  it('without any clause leaves nothing in the history', () => {
    const machine = thinking();
    expect(machine.doneReplying()).toEqual(noDecisions());
    expect(machine.phase).toBe('idle');
  });

  it('does not wait for a clause that has nothing to speak', () => {
    const machine = thinking();
    machine.clause(0, ' ');
    expect(machine.clause(1, 'Hi.').commands).toMatchObject([{ ref: clauseRef(1) }]);
    machine.doneReplying();
    machine.speak(1, 500);
    expect(machine.play(500).history).toMatchObject([{ push: { text: 'Hi.' } }]);
    expect(machine.phase).toBe('idle');
  });

  it('takes clauses in their order, each once, and none after its end', () => {
    const machine = thinking();
    machine.clause(1, 'Two.');
    machine.clause(0, 'One.');
    machine.clause(0, 'One again.');
    machine.doneReplying();
    machine.clause(1, 'Late.');
    expect(machine.state.reply?.clauses.map(({ text }) => text)).toEqual(['One.']);
  });

  it('cannot have been played beyond a clause that is not complete', () => {
    const machine = thinking();
    machine.clause(0, 'One.');
    machine.clause(1, 'Two.');
    machine.audio(0, 0, 300);
    machine.speak(1, 500);
    machine.play(800);
    expect(machine.state.reply?.played).toBe(300);
    machine.speak(0, 400);
    machine.play(800);
    expect(machine.state.reply?.played).toBe(800);
  });

  it('counts no more as played than there is', () => {
    const machine = thinking();
    machine.clause(0, 'Hi.');
    machine.audio(0, 0, 300);
    machine.play(9_999);
    expect(machine.state.reply?.played).toBe(300);
    machine.play(200);
    expect(machine.state.reply?.played).toBe(300);
  });
});

describe('clauses', () => {
  it('are offered two at a time, in order', () => {
    const machine = thinking();
    const offered = [0, 1, 2, 3].map((clause) => machine.clause(clause, `Clause ${clause}.`).commands.length);
    expect(offered).toEqual([1, 1, 0, 0]);
    for (const [done, next] of [
      [1, 2],
      [0, 3],
    ] as const) {
      const decided = machine.speak(done, 1_000);
      expect(decided.commands).toMatchObject([{ queue: 'speak', ref: clauseRef(next) }]);
      expect(decided.work.create).toMatchObject([{ ref: clauseRef(next) }]);
    }
  });

  it('wait while the user has eight seconds left to hear, and go on when that is played', () => {
    const machine = thinking();
    for (let clause = 0; clause < 4; clause += 1) machine.clause(clause, `Clause ${clause}.`);
    machine.speak(0, 8 * RATE_HZ);
    expect(machine.steps.at(-1)?.work.create).toEqual([]);
    machine.speak(1, RATE_HZ);
    expect(machine.steps.at(-1)?.work.create).toEqual([]);
    expect(machine.play(RATE_HZ).work.create).toEqual([]);
    const resumed = machine.play(RATE_HZ + 1);
    expect(resumed.work.create).toMatchObject([{ ref: clauseRef(2) }, { ref: clauseRef(3) }]);
  });

  it('are wanted by the end of the turn plus a budget, later ones when the user runs dry', () => {
    const machine = thinking();
    const first = machine.fold({ type: 'reply.clause', turn: 1, attempt: 0, clause: 0, text: 'One.' }, 1_200);
    expect(first.commands).toMatchObject([{ queue: 'speak', ref: clauseRef(0), deadlineMs: 1_800 }]);
    const starved = machine.fold({ type: 'reply.clause', turn: 1, attempt: 0, clause: 1, text: 'Two.' }, 1_300);
    expect(starved.commands).toMatchObject([{ ref: clauseRef(1), deadlineMs: 1_300 }]);
    machine.speak(0, 2 * RATE_HZ);
    const ahead = machine.fold({ type: 'reply.clause', turn: 1, attempt: 0, clause: 2, text: 'Three.' }, 2_000);
    expect(ahead.commands).toMatchObject([{ ref: clauseRef(2), deadlineMs: 4_000 }]);
  });

  it('whose audio comes again or after the end change nothing', () => {
    const machine = thinking();
    machine.clause(0, 'One.');
    machine.clause(1, 'Two.');
    machine.speak(0, 1_000);
    const before = machine.state.reply;
    machine.speak(0, 1_000);
    machine.audio(0, 1_000, 500);
    machine.audio(7, 0, 500);
    expect(machine.state.reply).toEqual(before);
  });
});

describe('a lost holder of a reply', () => {
  it.each(['silent', 'unclaimed'] as const)('that is %s is replaced at once by the next try', (reason) => {
    const machine = thinking();
    const decided = machine.lose(undefined, reason);
    expect(decided.work.raiseTry).toMatchObject([{ ref: REPLY, try: 2 }]);
    expect(decided.commands).toMatchObject([{ queue: 'reply', ref: REPLY, try: 2 }]);
    expect(decided.events).toEqual([]);
    expect(machine.state.reply).toMatchObject({ try: 2, deaths: reason === 'silent' ? 1 : 0 });
  });

  it('leaves its successor what was published', () => {
    const machine = thinking();
    machine.clause(0, 'Once upon a time.');
    const [raised] = machine.lose(undefined).work.raiseTry;
    expect(JSON.parse(raised?.input ?? '')).toMatchObject({ published: ['Once upon a time.'] });
  });

  it('that hands its work back is not counted as a death', () => {
    const machine = thinking();
    const back = { type: 'work.failed', ...REPLY, code: 'going_away', retryable: true, handedBack: true } as const;
    for (let number = 1; number <= 10; number += 1) machine.fold({ ...back, try: number });
    expect(machine.state.reply).toMatchObject({ try: 11, deaths: 0 });
  });

  it('of an older try is of no interest', () => {
    const machine = thinking();
    machine.lose(undefined);
    expect(machine.lose(undefined, 'silent', 1)).toEqual(noDecisions());
    const failed = { type: 'work.failed', ...REPLY, code: 'engine_failed', retryable: true, try: 1 } as const;
    expect(machine.fold(failed)).toEqual(noDecisions());
    expect(machine.state.reply?.try).toBe(2);
  });

  it('is the third in a row: the reply is given up, and the client told', () => {
    const machine = thinking();
    machine.lose(undefined);
    machine.lose(undefined);
    const decided = machine.lose(undefined);
    expect(decided.events).toMatchObject([
      { type: 'stage.failed', stage: 'reply', turn: 1, attempt: 0, code: 'poisoned_input', retryable: false },
      { type: 'reply.cancelled', turn: 1, attempt: 0, reason: 'failed' },
      ...apology(1),
    ]);
    expect(decided.work.cancel).toEqual([{ turn: 1, attempt: 0 }]);
    expect(decided.work.create.map(({ ref }) => ref)).toEqual(
      [0, 1].map((clause) => ({ ...clauseRef(clause), attempt: 1 })),
    );
    expect(decided.commands.map(({ queue }) => queue)).toEqual(['speak', 'speak']);
    expect(decided.history).toEqual([{ set: 0, message: { role: 'user', turn: 1, text: '' } }]);
    expect(machine.state.reply).toMatchObject({ turn: 1, attempt: 1, done: true });
    machine.speak(0, 500);
    machine.speak(1, 500);
    expect(machine.play(1_000).history).toEqual([
      { push: { role: 'assistant', turn: 1, attempt: 1, text: apologyIn('en') } },
    ]);
    expect(machine.phase).toBe('idle');
    machine.say(2, 'hello');
    expect(machine.state.reply).toMatchObject({ turn: 2, attempt: 0 });
  });

  it('is forgiven by progress', () => {
    const machine = thinking();
    for (let clause = 0; clause < 5; clause += 1) {
      machine.lose(undefined);
      machine.lose(undefined);
      machine.clause(clause, 'Again.');
    }
    expect(machine.state.reply).toMatchObject({ try: 11, deaths: 0 });
  });

  it('is the third after some of it was said: that is heard to its end, and a holder that wakes is shut out', () => {
    const machine = thinking();
    machine.clause(0, 'Once upon a time.');
    machine.lose(undefined);
    machine.lose(undefined);
    const decided = machine.lose(undefined);
    expect(decided.events).toMatchObject([{ type: 'stage.failed', code: 'poisoned_input' }]);
    expect(decided.work).toMatchObject({ cancel: [], raiseTry: [{ ref: REPLY, try: 4 }] });
    expect(decided.commands).toEqual([]);
    machine.clause(1, 'What the woken one says.');
    machine.speak(0, 500);
    expect(machine.play(500).history).toMatchObject([{ push: { text: 'Once upon a time.' } }]);
    expect(machine.phase).toBe('idle');
  });

  it('with an engine that will never do it is given up at the first', () => {
    const machine = thinking();
    const failed = { type: 'work.failed', ...REPLY, code: 'engine_rejected', retryable: false, try: 1 } as const;
    expect(machine.fold(failed).events).toMatchObject([
      { type: 'stage.failed', code: 'engine_rejected', retryable: false },
      { type: 'reply.cancelled', turn: 1, attempt: 0, reason: 'failed' },
      ...apology(1),
    ]);
    expect(machine.state).toMatchObject({ userIndex: 0, historyLength: 1 });
    expect(machine.steps.at(-1)?.history).toEqual([]);
  });

  it('after the end of the text is of no interest', () => {
    const machine = thinking();
    machine.clause(0, 'Hi.');
    machine.doneReplying();
    expect(machine.lose(undefined)).toEqual(noDecisions());
  });

  it('for want of any worker is told as a lack that may pass', () => {
    const machine = thinking();
    expect(machine.lose(undefined, 'no_worker').events).toMatchObject([
      { type: 'stage.failed', code: 'no_worker', message: 'No worker is free for this stage.', retryable: true },
      { type: 'reply.cancelled', turn: 1, attempt: 0, reason: 'failed' },
      ...apology(1),
    ]);
  });
});

describe('a lost holder of a clause', () => {
  function speaking(): Machine {
    const machine = thinking();
    machine.clause(0, 'Once upon a time.');
    machine.clause(1, 'The end.');
    machine.clause(2, 'Really.');
    return machine;
  }

  it('is replaced by the next try of that clause alone', () => {
    const machine = speaking();
    const decided = machine.lose(1);
    expect(decided.work.raiseTry).toEqual([{ ref: clauseRef(1), try: 2 }]);
    expect(decided.commands).toMatchObject([{ queue: 'speak', ref: clauseRef(1), try: 2 }]);
    expect(machine.state.reply?.clauses.map((clause) => clause.try)).toEqual([1, 2, 1]);
  });

  it('of an older try, of a clause that is done or not yet offered, is of no interest', () => {
    const machine = speaking();
    machine.lose(0);
    expect(machine.lose(0, 'silent', 1)).toEqual(noDecisions());
    expect(machine.lose(2)).toEqual(noDecisions());
    machine.speak(0, 500);
    expect(machine.lose(0)).toEqual(noDecisions());
    expect(machine.lose(9)).toEqual(noDecisions());
  });

  it('is the third before any sample: the clause is passed over and the next is offered', () => {
    const machine = speaking();
    machine.lose(0);
    machine.lose(0);
    const decided = machine.lose(0);
    expect(decided.events).toMatchObject([{ type: 'stage.failed', stage: 'speak', clause: 0, code: 'poisoned_input' }]);
    expect(decided.work.create).toMatchObject([{ ref: clauseRef(2) }]);
    expect(decided.work.raiseTry).toEqual([{ ref: clauseRef(0), try: 4 }]);
    machine.speak(1, 500);
    machine.speak(2, 500);
    machine.doneReplying();
    expect(machine.play(1_000).history).toMatchObject([{ push: { text: 'The end. Really.' } }]);
  });

  it('is the third after some samples: those are heard, and count as the clause', () => {
    const machine = speaking();
    machine.lose(0);
    machine.audio(0, 0, 300);
    machine.lose(0);
    machine.lose(0);
    machine.lose(0);
    expect(machine.state.reply?.clauses[0]).toMatchObject({ status: 'done', samples: 300 });
    machine.speak(0, 900);
    expect(machine.state.reply?.clauses[0]).toMatchObject({ samples: 300 });
  });

  it('for want of any worker ends a reply of which nothing can be heard', () => {
    const machine = thinking();
    machine.clause(0, 'Hi.');
    machine.doneReplying();
    const decided = machine.lose(0, 'no_worker');
    expect(decided.events).toMatchObject([
      { type: 'stage.failed', stage: 'speak', code: 'no_worker', retryable: true },
    ]);
    expect(decided.history).toEqual([]);
    expect(machine.phase).toBe('idle');
  });
});

describe('a verdict', () => {
  it('that names no work, or another reply, changes nothing', () => {
    const machine = PHASES.speaking();
    const lost = { type: 'holder.lost', stage: 'reply', try: 1, reason: 'silent' } as const;
    for (const holder of ['', 'reply', 'reply.2.0', 'speak.1.0', 'speak.1.1.0', 'reply.1.0.0']) {
      expect(machine.fold({ ...lost, holder })).toEqual(noDecisions());
    }
  });
});
