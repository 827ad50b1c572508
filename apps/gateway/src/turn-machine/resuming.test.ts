import { describe, expect, it } from 'vitest';
import { plainWords } from './backchannels.ts';
import { type Decisions, noDecisions } from './index.ts';
import { Machine, PHASES, RATE_HZ } from './machine-fixture.ts';

const TALE = ['Once upon a time. ', 'There lived a miller. ', 'He had three sons.'];
const FIRST = { turn: 1, attempt: 0 } as const;
const AGAIN = { turn: 1, attempt: 1 } as const;

/** The tale is being told: the first clause is heard, the second is being made and begun, the third waits for it. */
function telling(played = 1.5 * RATE_HZ): Machine {
  const machine = new Machine();
  machine.say(1, 'tell me a tale');
  for (const [clause, text] of TALE.entries()) machine.clause(clause, text);
  machine.speak(0, RATE_HZ);
  machine.audio(1, 0, RATE_HZ);
  machine.play(played);
  return machine;
}

/** Somebody makes a sound of this length and no more, and `text` is what was understood. */
function aside(machine: Machine, utterance: number, text: string, lengthMs = 500): Decisions {
  machine.cutIn(utterance);
  machine.stopSpeech(utterance);
  const sample = lengthMs * 16;
  return machine.fold({ type: 'turn.ended', utterance, text, sample, decidedSample: sample + 8_000 });
}

const spoken = (decided: Decisions): string[] =>
  decided.work.create.filter(({ ref }) => ref.stage === 'speak').map(({ input }) => JSON.parse(input).text);

describe('a reply that was stopped by no more than an aside', () => {
  it('goes on at the word that was cut, as the next attempt', () => {
    const machine = telling();
    const { generation } = machine.state;
    const decided = aside(machine, 2, 'mm-hmm');
    expect(decided.events).toEqual([{ type: 'reply.started', ...AGAIN }]);
    expect(decided.work).toMatchObject({ cancel: [], raiseTry: [], dropTurnsBefore: 0 });
    expect(spoken(decided)).toEqual([' lived a miller. ', 'He had three sons.']);
    // Stopped and begun again.
    expect(machine.state.generation).toBe(generation + 2);
    expect(machine.state.reply).toMatchObject({
      ...AGAIN,
      text: 'tell me a tale',
      played: 0,
      done: false,
      generation: generation + 2,
      clauses: [
        { text: TALE[0], status: 'passed', samples: 0 },
        { text: TALE[1], status: 'offered', from: 'There'.length, samples: 0 },
        { text: TALE[2], status: 'offered', from: 0, samples: 0 },
      ],
    });
    expect(machine.state).toMatchObject({ resumable: null, reopened: null, utterance: null, turn: 1 });
  });

  it('has the model go on behind what was said already', () => {
    const { work, commands } = aside(telling(), 2, '');
    const [create] = work.create;
    expect(create).toMatchObject({ ref: { stage: 'reply', ...AGAIN }, resumeAt: TALE.join('').length });
    const input = { text: 'tell me a tale', language: 'en', published: TALE, origin: 0 };
    expect(JSON.parse(create?.input ?? '')).toEqual(input);
    expect(commands[0]).toMatchObject({ queue: 'reply', ref: { stage: 'reply', ...AGAIN }, try: 1 });
    expect(commands[0]).not.toHaveProperty('held');
  });

  it('takes what the model says then as the following clauses', () => {
    const machine = telling();
    aside(machine, 2, 'yeah');
    machine.clause(2, 'Something else.');
    machine.clause(3, 'And a cat.');
    expect(machine.state.reply?.clauses.map(({ text }) => text)).toEqual([...TALE, 'And a cat.']);
  });

  it('asks no model where all had been said', () => {
    const machine = telling();
    machine.doneReplying();
    const decided = aside(machine, 2, 'yeah');
    expect(decided.events).toEqual([
      { type: 'reply.started', ...AGAIN },
      { type: 'reply.done', ...AGAIN, text: TALE.join(''), clauses: 3, finish: 'resumed' },
    ]);
    expect(decided.commands.map(({ queue }) => queue)).toEqual(['speak', 'speak']);
    expect(machine.state.reply?.done).toBe(true);
  });

  it('has been heard in parts, none of them cut', () => {
    const machine = telling();
    machine.cutIn(2);
    expect(machine.steps.at(-1)?.history).toMatchObject([{ push: { text: `${TALE[0]}There`, truncated: true } }]);
    const { history } = machine.endTurn(2, 'okay');
    const heard = { role: 'assistant', ...FIRST, text: 'Once upon a time. There' };
    expect(history).toEqual([{ set: 1, message: heard }]);
    machine.doneReplying();
    machine.speakAll();
    expect(machine.play(2 * RATE_HZ).history).toEqual([
      { push: { role: 'assistant', ...AGAIN, text: 'lived a miller. He had three sons.' } },
    ]);
    expect(machine.state).toMatchObject({ reply: null, historyLength: 3 });
  });

  it('may be stopped and go on again and again: nothing is lost, nothing is said twice', () => {
    const machine = telling();
    machine.doneReplying();
    const parts: string[] = [];
    for (let utterance = 2; utterance < 20 && machine.state.reply; utterance += 1) {
      const { history } = aside(machine, utterance, 'yeah');
      for (const op of history) if ('set' in op) parts.push(op.message.text);
      machine.speakAll();
      for (const op of machine.play(0.2 * utterance * RATE_HZ).history) if ('push' in op) parts.push(op.push.text);
    }
    expect(machine.state.reply).toBeNull();
    expect(parts.length).toBeGreaterThan(3);
    expect(plainWords(parts.join(' '))).toBe(plainWords(TALE.join('')));
  });

  it.each([
    ['the end of a clause', RATE_HZ, ['There lived a miller. ', 'He had three sons.']],
    ['its first sample', 1, ['Once upon a time. ', 'There lived a miller. ']],
    ['the middle of its first clause', RATE_HZ / 2, [' a time. ', 'There lived a miller. ']],
  ])('goes on where it was cut at %s', (_where, played, texts) => {
    expect(spoken(aside(telling(played), 2, ''))).toEqual(texts);
  });

  it('passes over a clause of which only a full stop is left', () => {
    const machine = telling();
    machine.doneReplying();
    machine.speak(1, RATE_HZ);
    machine.play(2 * RATE_HZ - 1);
    expect(spoken(aside(machine, 2, ''))).toEqual(['He had three sons.']);
    expect(machine.state.reply?.clauses).toMatchObject([{ status: 'passed' }, { status: 'passed' }, {}]);
  });

  it('is over where the last word had been heard', () => {
    const machine = new Machine();
    machine.say(1, 'hello');
    machine.clause(0, 'Hi.');
    machine.speak(0, RATE_HZ);
    machine.play(RATE_HZ);
    machine.cutIn(2);
    machine.fold({ type: 'reply.done', ...FIRST, text: 'Hi.', clauses: 1, finish: 'stop' });
    expect(machine.endTurn(2, 'yeah').history).toMatchObject([{ set: 1, message: { text: 'Hi.' } }]);
    // It may be that the model has more to say.
    expect(machine.state.reply).toMatchObject({ ...AGAIN, clauses: [{ status: 'passed' }] });
    expect(machine.doneReplying()).toEqual(noDecisions());
    expect(machine.state).toMatchObject({ reply: null, historyLength: 2 });
  });

  it('passes over again what could not be spoken', () => {
    const machine = new Machine();
    machine.say(1, 'hello');
    for (const [clause, text] of ['Lost.', '', 'One.', 'Two.'].entries()) machine.clause(clause, text);
    machine.lose(0, 'no_worker');
    machine.speak(2, RATE_HZ);
    machine.play(RATE_HZ / 2);
    aside(machine, 2, '');
    const statuses = machine.state.reply?.clauses.map(({ status }) => status);
    expect(statuses).toEqual(['passed', 'passed', 'offered', 'offered']);
  });

  it('is ready to be interrupted in earnest: what was heard of the attempt is cut', () => {
    const machine = telling();
    aside(machine, 2, 'yeah');
    machine.speak(1, RATE_HZ);
    machine.play(RATE_HZ / 2);
    machine.cutIn(3);
    expect(machine.steps.at(-1)?.history).toEqual([
      { push: { role: 'assistant', ...AGAIN, text: 'lived a', truncated: true } },
    ]);
    machine.endTurn(3, 'stop');
    expect(machine.state).toMatchObject({ historyLength: 4, reply: { turn: 2, attempt: 0, text: 'stop' } });
  });

  it('does not re-open the turn where nothing of this attempt was heard, for something of an earlier one was', () => {
    const machine = telling();
    aside(machine, 2, 'yeah');
    machine.startSpeech(3);
    expect(machine.state.utterance?.turn).toBe(2);
    expect(machine.confirmSpeech(3).events).toMatchObject([{ type: 'reply.cancelled', ...AGAIN }]);
    expect(machine.state.reopened).toBeNull();
    const { history } = machine.endTurn(3, 'stop');
    expect(history).toEqual([{ push: { role: 'user', turn: 2, text: 'stop' } }]);
    expect(machine.state.reply).toMatchObject({ turn: 2, attempt: 0, text: 'stop' });
  });

  it('goes on from there by the next aside', () => {
    const machine = telling();
    aside(machine, 2, 'yeah');
    const decided = aside(machine, 3, 'yeah');
    expect(decided.history).toEqual([]);
    expect(decided.events).toMatchObject([{ type: 'reply.started', turn: 1, attempt: 2 }]);
    expect(spoken(decided)).toEqual([' lived a miller. ', 'He had three sons.']);
  });

  it('that nobody had heard any of begins anew with what has been written', () => {
    const machine = PHASES.thinking();
    const decided = aside(machine, 2, '');
    expect(decided).toMatchObject({ events: [{ type: 'reply.started', ...AGAIN }], history: [] });
    expect(spoken(decided)).toEqual(['The weather is fine today.']);
    expect(machine.state).toMatchObject({ reopened: null, resumable: null, historyLength: 1 });
  });

  it('and of which nothing is written yet is asked for anew', () => {
    const machine = new Machine();
    machine.say(1, 'hello');
    const [create] = aside(machine, 2, '').work.create;
    expect(create).toEqual({ ref: { stage: 'reply', ...AGAIN }, input: '{"text":"hello","language":"en","origin":0}' });
    // What it asked of tools first counts for all that follow.
    const [again] = aside(machine, 3, '').work.create;
    expect(again).toMatchObject({ ref: { attempt: 2 }, input: '{"text":"hello","language":"en","origin":0}' });
  });

  it('goes on where the speech was given up instead of understood', () => {
    const machine = telling();
    machine.cutIn(2);
    for (let death = 0; death < 2; death += 1) machine.loseListener('silent', 0, 900);
    expect(machine.loseListener('silent', 0, 900).events).toMatchObject([
      { type: 'stage.failed', stage: 'listen' },
      { type: 'reply.started', ...AGAIN },
    ]);
    expect(machine.phase).toBe('thinking');
  });

  it('goes on in writing where replies are not spoken, behind what had been written', () => {
    const machine = new Machine({ textOnly: true });
    machine.say(1, 'tell me a tale');
    machine.clause(0, 'Once upon a time.');
    const decided = aside(machine, 2, '');
    expect(decided.commands).toMatchObject([{ queue: 'reply', ref: AGAIN }]);
    expect(decided.history).toEqual([
      { set: 1, message: { role: 'assistant', turn: 1, attempt: 0, text: 'Once upon a time.' } },
    ]);
    machine.clause(1, 'The end.');
    expect(machine.doneReplying().history).toEqual([{ push: { role: 'assistant', ...AGAIN, text: 'The end.' } }]);
  });

  it('does not repeat what was heard where the rest is only written', () => {
    const machine = telling();
    machine.cutIn(2);
    machine.fold({ type: 'input.settings', settings: { textOnly: true } });
    machine.endTurn(2, '');
    expect(machine.doneReplying().history).toEqual([
      { push: { role: 'assistant', ...AGAIN, text: 'lived a miller. He had three sons.' } },
    ]);
  });
});

describe('what is said over a reply', () => {
  it.each([
    ['no words', '', 500, true],
    ['no words, for long', '', 5_000, true],
    ['a sound of agreement', 'Yeah, okay.', 500, true],
    ['one as long as that may be', 'yeah', 1_200, true],
    ['one said at length', 'yeah', 1_300, false],
    ['anything else', 'yeah but', 500, false],
  ])('%s: lets it go on, or takes the turn', (_what, text, lengthMs, goesOn) => {
    const machine = telling();
    aside(machine, 2, text, lengthMs);
    const { turn, attempt } = machine.state.reply ?? {};
    expect({ turn, attempt }).toEqual(goesOn ? AGAIN : { turn: 2, attempt: 0 });
  });

  it.each([
    ['de', 'Ja, genau.', true],
    ['de', 'yeah', false],
    ['fr', 'Oui, d’accord.', true],
    ['ja', 'なるほど。', true],
  ])('goes by the language of the session: %s %j', (language, text, goesOn) => {
    const machine = telling();
    machine.fold({ type: 'input.settings', settings: { language } });
    aside(machine, 2, text);
    expect(machine.state.reply?.turn).toBe(goesOn ? 1 : 2);
  });

  it('and did not stop it only brings back its volume', () => {
    const machine = telling();
    const { reply, generation } = machine.state;
    machine.startSpeech(2);
    machine.stopSpeech(2);
    expect(machine.endTurn(2, 'yeah')).toEqual({ ...noDecisions(), effects: [{ kind: 'restore' }] });
    expect(machine.state).toMatchObject({ reply, generation, utterance: null });
  });

  it.each([
    ['nothing was ever said', new Machine(), 1],
    ['the reply has been played', played(), 1],
    ['the client has stopped it', stopped(), 1],
  ])('is taken at its word where %s', (_where, machine, utterance) => {
    aside(machine, utterance + 1, 'yes');
    expect(machine.state.reply?.text).toBe('yes');
  });

  function played(): Machine {
    const machine = telling();
    machine.doneReplying();
    machine.speakAll();
    machine.play(9 * RATE_HZ);
    return machine;
  }

  function stopped(): Machine {
    const machine = telling();
    machine.fold({ type: 'input.interrupt' });
    return machine;
  }

  it('after the client has stopped what speech had stopped before, brings nothing back', () => {
    const machine = telling();
    machine.cutIn(2);
    machine.fold({ type: 'input.interrupt' });
    expect(machine.endTurn(2, '')).toMatchObject({ events: [], commands: [] });
    expect(machine.phase).toBe('idle');
  });

  it('after typed text had its own answer lets that one go on', () => {
    const machine = telling();
    machine.cutIn(2);
    machine.fold({ type: 'input.text', text: 'never mind' });
    const { reply } = machine.state;
    expect(machine.endTurn(2, 'okay')).toEqual({ ...noDecisions(), effects: [{ kind: 'restore' }] });
    expect(machine.state.reply).toEqual(reply);
  });
});
