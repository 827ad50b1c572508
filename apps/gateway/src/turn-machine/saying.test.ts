import { DEFAULT_SETTINGS } from '@parley/protocol';
import { describe, expect, it } from 'vitest';
import { apologyIn } from './apologies.ts';
import { type Decisions, noDecisions, open, runningTimer } from './index.ts';
import { Machine, RATE_HZ } from './machine-fixture.ts';

const GREETING = 'Hello! How can I help?';

/** What the client is told of a text that is said as it stands. */
const told = (turn: number, attempt: number, text: string, clauses: readonly string[]) => [
  { type: 'reply.started', turn, attempt },
  { type: 'reply.delta', turn, attempt, text },
  ...clauses.map((clause, index) => ({ type: 'reply.clause', turn, attempt, clause: index, text: clause })),
  { type: 'reply.done', turn, attempt, text, clauses: clauses.length, finish: 'verbatim' },
];

describe('a greeting', () => {
  it('is said when the session begins, without a model', () => {
    const { opened, state } = new Machine({ greeting: GREETING });
    expect(opened.events).toEqual(told(1, 0, GREETING, ['Hello! ', 'How can I help?']));
    expect(opened.commands.map(({ queue }) => queue)).toEqual(['listen', 'speak', 'speak']);
    expect(state).toMatchObject({ turn: 1, generation: 1, historyLength: 0, reply: { text: '', done: true } });
  });

  it('stands in the history once it has been heard, and the user begins the next turn', () => {
    const machine = new Machine({ greeting: GREETING });
    machine.speakAll();
    expect(machine.play(2 * RATE_HZ).history).toEqual([
      { push: { role: 'assistant', turn: 1, attempt: 0, text: GREETING } },
    ]);
    expect(machine.say(1, 'hello').history).toEqual([{ push: { role: 'user', turn: 2, text: 'hello' } }]);
    expect(machine.state).toMatchObject({ userIndex: 1, reply: { turn: 2, attempt: 0 } });
  });

  it('may be interrupted before anything of it was heard: there is no turn to go on with', () => {
    const machine = new Machine({ greeting: GREETING });
    machine.startSpeech(1);
    expect(machine.state.utterance?.turn).toBe(2);
    expect(machine.confirmSpeech(1).events).toMatchObject([{ type: 'reply.cancelled', turn: 1, attempt: 0 }]);
    expect(machine.state.reopened).toBeNull();
    expect(machine.endTurn(1, 'hello').history).toEqual([{ push: { role: 'user', turn: 2, text: 'hello' } }]);
    expect(machine.state.reply).toMatchObject({ turn: 2, attempt: 0, text: 'hello' });
  });

  it('may be interrupted while it is heard, and goes on after a cough', () => {
    const machine = new Machine({ greeting: GREETING });
    machine.speakAll();
    machine.play(RATE_HZ);
    expect(machine.cutIn(1).history).toEqual(
      [{ push: { role: 'assistant', turn: 1, attempt: 0, text: 'Hello! ', truncated: true } }].map(trimmed),
    );
    const decided = machine.endTurn(1, '');
    expect(decided.events).toMatchObject([
      { type: 'reply.started', turn: 1, attempt: 1 },
      { type: 'reply.done', turn: 1, attempt: 1, text: GREETING, finish: 'resumed' },
    ]);
    machine.speakAll();
    expect(machine.play(RATE_HZ).history).toMatchObject([{ push: { attempt: 1, text: 'How can I help?' } }]);
  });

  const trimmed = ({ push }: { push: { text: string } }) => ({ push: { ...push, text: push.text.trim() } });

  it.each(['', '  '])('that is blank is none: %j', (greeting) => {
    const { opened, state } = new Machine({ greeting });
    expect(opened).toMatchObject({ events: [], commands: [{ queue: 'listen' }] });
    expect(state).toMatchObject({ turn: 0, generation: 0, reply: null });
  });

  it('is wanted by the time the session was opened', () => {
    const { decisions } = open({ ...DEFAULT_SETTINGS, greeting: GREETING }, 5_000);
    expect(decisions.commands[1]).toMatchObject({ queue: 'speak', deadlineMs: 5_800 });
  });
});

describe('an idle prompt', () => {
  const PROMPT = 'Are you still there?';

  /** A session in which all has been quiet since 1 000 ms. */
  function quiet(settings = {}): Machine {
    const machine = new Machine({ idlePrompt: PROMPT, idlePromptMs: 5_000, ...settings });
    machine.fold({ type: 'lease.moved', fence: 'f1', worker: 'w1' }, 1_000);
    return machine;
  }

  function fire(machine: Machine, at = 6_000): Decisions {
    const since = runningTimer(machine.state)?.since ?? machine.state.lastEvent;
    return machine.fold({ type: 'timer.fired', name: 'idle', since }, at);
  }

  it('is due when nobody has spoken for so long', () => {
    expect(runningTimer(new Machine({ idlePrompt: PROMPT }).state)).toBeUndefined();
    expect(runningTimer(quiet().state)).toEqual({ name: 'idle', since: '1-1', atMs: 6_000 });
  });

  it.each<[string, (machine: Machine) => void]>([
    ['somebody speaks', (machine) => void machine.startSpeech(1)],
    ['a reply is on its way', (machine) => void machine.fold({ type: 'input.text', text: 'hello' })],
    ['the session is over', (machine) => void machine.fold({ type: 'input.close', reason: 'client' })],
    ['it is switched off', (machine) => void machine.fold({ type: 'input.settings', settings: { idlePrompt: ' ' } })],
  ])('is not due where %s', (_where, happen) => {
    const machine = quiet();
    const { since = '' } = runningTimer(machine.state) ?? {};
    happen(machine);
    expect(runningTimer(machine.state)).toBeUndefined();
    expect(machine.fold({ type: 'timer.fired', name: 'idle', since })).toEqual(noDecisions());
  });

  it('goes by the settings of the moment, and by the last time that it became quiet', () => {
    const machine = quiet();
    machine.fold({ type: 'input.settings', settings: { idlePromptMs: 2_000 } });
    expect(runningTimer(machine.state)?.atMs).toBe(3_000);
    machine.startSpeech(1);
    machine.endTurn(1, '', 9_000);
    expect(runningTimer(machine.state)).toMatchObject({ since: machine.state.lastEvent, atMs: 11_000 });
  });

  it('is said once, until somebody speaks', () => {
    const machine = quiet();
    const decided = fire(machine);
    expect(decided.events).toEqual(told(1, 0, PROMPT, [PROMPT]));
    expect(decided.commands).toMatchObject([{ queue: 'speak', deadlineMs: 6_800 }]);
    machine.speakAll();
    expect(machine.play(RATE_HZ).history).toEqual([{ push: { role: 'assistant', turn: 1, attempt: 0, text: PROMPT } }]);
    expect(machine.phase).toBe('idle');
    expect(runningTimer(machine.state)).toBeUndefined();
    expect(fire(machine, 60_000)).toEqual(noDecisions());
    machine.say(1, 'yes');
    expect(machine.state.reply).toMatchObject({ turn: 2, attempt: 0 });
    machine.doneReplying();
    expect(runningTimer(machine.state)).toBeDefined();
    expect(fire(machine, 99_000).events).toMatchObject(told(2, 1, PROMPT, [PROMPT]));
  });

  it('is not said by a timer of an earlier silence, nor by one that is written twice', () => {
    const machine = quiet();
    const { since = '' } = runningTimer(machine.state) ?? {};
    machine.startSpeech(1);
    machine.endTurn(1, '');
    expect(machine.fold({ type: 'timer.fired', name: 'idle', since })).toEqual(noDecisions());
    expect(machine.fold({ type: 'timer.fired', name: 'other', since: machine.state.lastEvent })).toEqual(noDecisions());
    expect(fire(machine).events).not.toEqual([]);
    expect(fire(machine)).toEqual(noDecisions());
  });

  it('is interrupted like any reply, and answered as a turn of its own', () => {
    const machine = quiet();
    fire(machine);
    machine.cutIn(1);
    machine.endTurn(1, 'I am here');
    expect(machine.state.reply).toMatchObject({ turn: 2, attempt: 0, text: 'I am here' });
  });
});

describe('an apology', () => {
  const failed = { type: 'work.failed', stage: 'reply', turn: 1, attempt: 0, try: 1, retryable: false } as const;

  it.each([
    ['de', 'Entschuldigung'],
    ['de-CH', 'Entschuldigung'],
    ['FR', 'Désolé'],
    ['ja', '申し訳ありません'],
    ['sw', 'Sorry'],
  ])('is in the language of the session: %s', (language, begins) => {
    const machine = new Machine({ language });
    machine.say(1, 'hello');
    machine.fold({ ...failed, code: 'engine_failed' });
    expect(apologyIn(language).startsWith(begins)).toBe(true);
    expect(joined(machine)).toBe(apologyIn(language));
  });

  const joined = ({ state }: Machine): string | undefined => state.reply?.clauses.map(({ text }) => text).join('');

  it('may be interrupted, and is no turn to go on with', () => {
    const machine = new Machine();
    machine.say(1, 'hello');
    machine.fold({ ...failed, code: 'engine_failed' });
    machine.say(2, 'hello again');
    expect(machine.state.reply).toMatchObject({ turn: 2, attempt: 0, text: 'hello again' });
  });

  it('that cannot be spoken either ends in silence, not in another', () => {
    const machine = new Machine();
    machine.say(1, 'hello');
    machine.fold({ ...failed, code: 'engine_failed' });
    for (let number = 0; number < 9 && machine.state.reply; number += 1) {
      const clause = machine.state.reply.clauses.findIndex(({ status }) => status === 'offered');
      machine.lose(clause, 'no_worker');
    }
    expect(machine.steps.flatMap(({ events }) => events).filter(({ type }) => type === 'reply.started')).toHaveLength(
      2,
    );
    expect(machine.state).toMatchObject({ reply: null, historyLength: 1 });
  });
});

describe('a session in writing', () => {
  it('has replies that are over when they are written', () => {
    const machine = new Machine({ textOnly: true });
    machine.fold({ type: 'input.text', text: 'hello' });
    expect(machine.clause(0, 'Hi. ')).toEqual(noDecisions());
    machine.clause(1, 'How are you?');
    expect(machine.doneReplying().history).toEqual([
      { push: { role: 'assistant', turn: 1, attempt: 0, text: 'Hi. How are you?' } },
    ]);
    expect(machine.phase).toBe('idle');
  });

  it('is greeted in writing', () => {
    const { opened, state } = new Machine({ textOnly: true, greeting: GREETING });
    expect(opened.events).toEqual(told(1, 0, GREETING, ['Hello! ', 'How can I help?']));
    expect(opened.commands.map(({ queue }) => queue)).toEqual(['listen']);
    expect(opened.history).toEqual([{ push: { role: 'assistant', turn: 1, attempt: 0, text: GREETING } }]);
    expect(state).toMatchObject({ reply: null, historyLength: 1 });
  });

  it('has replies prepared ahead in writing, too', () => {
    const machine = new Machine({ textOnly: true });
    machine.startSpeech(1);
    machine.eager(1, 'hello');
    expect(machine.clause(0, 'Hi.')).toEqual(noDecisions());
    machine.doneReplying();
    const decided = machine.endTurn(1, 'Hello.');
    expect(decided.events.map(({ type }) => type)).toEqual(['reply.released', 'reply.clause', 'reply.done']);
    expect(decided.history).toMatchObject([{ push: { role: 'user' } }, { push: { role: 'assistant', text: 'Hi.' } }]);
    expect(machine.state).toMatchObject({ reply: null, historyLength: 2 });
  });

  it('may begin in the middle of a reply: what is spoken is heard to its end, the rest is read', () => {
    const machine = new Machine();
    machine.say(1, 'hello');
    for (const [clause, text] of ['One.', 'Two.', 'Three.'].entries()) machine.clause(clause, text);
    machine.speak(0, RATE_HZ);
    machine.fold({ type: 'input.settings', settings: { textOnly: true } });
    expect(machine.speak(1, RATE_HZ).commands).toEqual([]);
    machine.speak(2, RATE_HZ);
    machine.clause(3, 'Four.');
    machine.doneReplying();
    expect(machine.phase).toBe('thinking');
    expect(machine.play(3 * RATE_HZ).history).toMatchObject([{ push: { text: 'One. Two. Three. Four.' } }]);
    expect(machine.phase).toBe('idle');
  });

  it('may end in the middle of a reply: what is not yet written is spoken', () => {
    const machine = new Machine({ textOnly: true });
    machine.say(1, 'hello');
    machine.clause(0, 'One.');
    machine.fold({ type: 'input.settings', settings: { textOnly: false } });
    expect(machine.clause(1, 'Two.').commands).toHaveLength(2);
  });
});
