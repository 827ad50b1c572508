import { describe, expect, it } from 'vitest';
import { noDecisions, runningTimer } from './index.ts';
import { Machine, PHASES, RATE_HZ } from './machine-fixture.ts';

const FIRST = { turn: 1, attempt: 0 } as const;
const NOTHING_STOPPED = { events: [], history: [], effects: [], commands: [] };

describe('an interruption while the reply is being thought of', () => {
  it('by confirmed speech cancels the reply unheard and re-opens the turn', () => {
    const machine = PHASES.thinking();
    const { generation } = machine.state;
    expect(machine.startSpeech(2).effects).toEqual([{ kind: 'duck' }]);
    const decided = machine.confirmSpeech(2);
    expect(decided.events).toMatchObject([{ type: 'reply.cancelled', turn: 1, attempt: 0, reason: 'speech' }]);
    expect(decided.history).toEqual([]);
    expect(decided.work.cancel).toEqual([{ turn: 1, attempt: 0 }]);
    expect(decided.effects).toMatchObject([
      { kind: 'stop', generation: generation + 1, reply: { turn: 1, attempt: 0 } },
      {
        kind: 'cancel',
        reply: { turn: 1, attempt: 0 },
        work: [
          { ref: { stage: 'reply', turn: 1, attempt: 0 }, try: 1 },
          { ref: { stage: 'speak', turn: 1, attempt: 0, clause: 0 }, try: 1 },
        ],
      },
    ]);
    expect(machine.state.generation).toBe(generation + 1);
    expect(machine.state.reopened).toMatchObject({ turn: 1, text: 'what is the weather', historyIndex: 0 });
  });

  it('by speech that goes on answers all of it as the next attempt at the same turn', () => {
    const machine = PHASES.thinking();
    machine.startSpeech(2);
    machine.confirmSpeech(2);
    const decided = machine.endTurn(2, 'in Rome');
    const message = { role: 'user', turn: 1, text: 'what is the weather in Rome' };
    expect(decided.history).toEqual([{ set: 0, message }]);
    expect(decided.work.create).toMatchObject([{ ref: { stage: 'reply', turn: 1, attempt: 1 } }]);
    expect(machine.state.reply).toMatchObject({ turn: 1, attempt: 1, text: message.text });
    expect(machine.state).toMatchObject({ turn: 1, historyLength: 1, reopened: null });
  });

  it('by words too short to be confirmed counts all the same', () => {
    const machine = PHASES.thinking();
    machine.startSpeech(2);
    const decided = machine.endTurn(2, 'please');
    expect(decided.events.map(({ type }) => type)).toEqual(['reply.cancelled', 'reply.started']);
    expect(machine.state.reply).toMatchObject({ turn: 1, attempt: 1, text: 'what is the weather please' });
  });

  it('by speech without words is taken back: the reply goes on as the next attempt', () => {
    const machine = PHASES.thinking();
    machine.startSpeech(2);
    machine.confirmSpeech(2);
    const decided = machine.endTurn(2, ' ');
    expect(decided.history).toEqual([]);
    expect(decided.events).toMatchObject([{ type: 'reply.started', turn: 1, attempt: 1 }]);
    expect(machine.state.utterance).toBeNull();
  });

  it('by unconfirmed speech without words only ducks and restores', () => {
    const machine = PHASES.thinking();
    const { reply, generation } = machine.state;
    machine.startSpeech(2);
    expect(machine.stopSpeech(2).effects).toEqual([{ kind: 'restore' }]);
    expect(machine.endTurn(2, '').effects).toEqual([{ kind: 'restore' }]);
    expect(machine.state).toMatchObject({ reply, generation, utterance: null });
  });

  it('by text begins a turn of its own', () => {
    const machine = PHASES.thinking();
    const decided = machine.fold({ type: 'input.text', text: 'never mind' });
    expect(decided.events).toMatchObject([
      { type: 'reply.cancelled', turn: 1, attempt: 0, reason: 'text' },
      { type: 'reply.started', turn: 2, attempt: 0 },
    ]);
    expect(decided.history).toEqual([{ push: { role: 'user', turn: 2, text: 'never mind' } }]);
    expect(machine.state).toMatchObject({ historyLength: 2, userIndex: 1, reopened: null });
  });

  it('by the client does not re-open the turn', () => {
    const machine = PHASES.thinking();
    machine.fold({ type: 'input.interrupt' });
    expect(machine.state.reopened).toBeNull();
    machine.say(2, 'hello');
    expect(machine.state.reply).toMatchObject({ turn: 2, attempt: 0, text: 'hello' });
  });

  it('by the client after speech had stopped it does not let it go on, nor the words be added to it', () => {
    const machine = PHASES.thinking();
    machine.startSpeech(2);
    machine.confirmSpeech(2);
    machine.fold({ type: 'input.interrupt' });
    expect(machine.endTurn(2, '')).toMatchObject({ ...NOTHING_STOPPED, work: { create: [] } });
    expect(machine.phase).toBe('idle');
    machine.say(3, 'hello');
    expect(machine.state.reply).toMatchObject({ turn: 2, attempt: 0, text: 'hello' });
  });

  it('again and again merges every part into one turn', () => {
    const machine = PHASES.thinking();
    machine.say(2, 'in Rome');
    machine.say(3, 'next week');
    expect(machine.state.reply).toMatchObject({ turn: 1, attempt: 2, text: 'what is the weather in Rome next week' });
    expect(machine.state.historyLength).toBe(1);
  });
});

describe('an interruption while the reply is being heard', () => {
  it('by confirmed speech cuts the reply at the last word heard', () => {
    const machine = PHASES.speaking();
    machine.startSpeech(2);
    const decided = machine.confirmSpeech(2);
    const heard = 'The weather';
    expect(decided.events).toMatchObject([{ type: 'reply.truncated', turn: 1, attempt: 0, heard, samples: RATE_HZ }]);
    const message = { role: 'assistant', turn: 1, attempt: 0, text: heard, truncated: true };
    expect(decided.history).toEqual([{ push: message }]);
    expect(machine.state).toMatchObject({ reply: null, reopened: null, historyLength: 2 });
    machine.endTurn(2, 'and tomorrow');
    expect(machine.state.reply).toMatchObject({ turn: 2, attempt: 0, text: 'and tomorrow' });
  });

  it('counts as unheard before the end of the first word', () => {
    const machine = PHASES.thinking();
    machine.audio(0, 0, RATE_HZ);
    machine.play(100);
    expect(machine.phase).toBe('speaking');
    machine.startSpeech(2);
    expect(machine.confirmSpeech(2).events).toMatchObject([{ type: 'reply.cancelled', reason: 'speech' }]);
    machine.endTurn(2, 'today');
    expect(machine.state.reply).toMatchObject({ turn: 1, attempt: 1, text: 'what is the weather today' });
  });

  it('at the last sample but one still cuts', () => {
    const machine = PHASES.speaking();
    machine.speak(1, RATE_HZ);
    machine.doneReplying();
    machine.play(3 * RATE_HZ - 1);
    machine.startSpeech(2);
    const { history } = machine.confirmSpeech(2);
    expect(history).toMatchObject([
      { push: { text: 'The weather is fine today. It will rain tomorrow', truncated: true } },
    ]);
  });

  it('at the last sample comes too late', () => {
    const machine = PHASES.speaking();
    machine.speak(1, RATE_HZ);
    machine.doneReplying();
    const whole = { push: { text: 'The weather is fine today. It will rain tomorrow.' } };
    expect(machine.play(3 * RATE_HZ).history).toMatchObject([whole]);
    machine.startSpeech(2);
    expect(machine.confirmSpeech(2)).toMatchObject(NOTHING_STOPPED);
    expect(machine.state.historyLength).toBe(2);
  });

  it('without words lets it go on where it was cut', () => {
    const machine = PHASES.speaking();
    machine.startSpeech(2);
    machine.confirmSpeech(2);
    const heard = { role: 'assistant', turn: 1, attempt: 0, text: 'The weather' };
    const decided = machine.endTurn(2, '');
    expect(decided.events).toMatchObject([{ type: 'reply.started', turn: 1, attempt: 1 }]);
    expect(decided.history).toEqual([{ set: 1, message: heard }]);
    expect(machine.phase).toBe('thinking');
    expect(machine.state.reply?.clauses).toMatchObject([
      { text: 'The weather is fine today.', from: heard.text.length, status: 'offered' },
      { text: 'It will rain tomorrow.', from: 0, status: 'offered' },
    ]);
  });

  it('by text cuts it and begins the next turn', () => {
    const machine = PHASES.speaking();
    const decided = machine.fold({ type: 'input.text', text: 'stop it' });
    expect(decided.events.map(({ type }) => type)).toEqual(['reply.truncated', 'reply.started']);
    expect(decided.history).toMatchObject([{ push: { role: 'assistant' } }, { push: { role: 'user', turn: 2 } }]);
    expect(machine.state).toMatchObject({ historyLength: 3, userIndex: 2 });
  });
});

describe('where a word is asked for, an interruption', () => {
  /** A reply is heard, and speech over it is confirmed. */
  function overheard(): Machine {
    const machine = new Machine({ interruptBy: 'word' });
    machine.say(1, 'what is the weather');
    machine.clause(0, 'The weather is fine today.');
    machine.speak(0, 2 * RATE_HZ);
    machine.play(RATE_HZ);
    expect(machine.cutIn(2)).toEqual(noDecisions());
    return machine;
  }

  it.each(['', ' … ', 'mm', 'Mm-hmm.', 'yeah, okay'])('is not confirmed by %j', (text) => {
    const machine = overheard();
    expect(machine.partial(2, text)).toEqual(noDecisions());
    expect(machine.phase).toBe('speaking');
  });

  it('is confirmed by the first word that is more than a sign of listening', () => {
    const machine = overheard();
    machine.partial(2, 'okay');
    const decided = machine.partial(2, 'okay stop');
    expect(decided.events).toMatchObject([{ type: 'reply.truncated', turn: 1, attempt: 0, heard: 'The weather' }]);
    expect(decided.effects).toMatchObject([{ kind: 'stop' }, { kind: 'cancel' }]);
    expect(machine.partial(2, 'okay stop it')).toEqual(noDecisions());
    machine.endTurn(2, 'okay stop it');
    expect(machine.state.reply).toMatchObject({ turn: 2, attempt: 0, text: 'okay stop it' });
  });

  it('is none by words of another utterance', () => {
    const machine = overheard();
    expect(machine.partial(3, 'stop')).toEqual(noDecisions());
  });

  it('is confirmed at the end of the turn where no word came before it', () => {
    const machine = overheard();
    expect(machine.endTurn(2, 'stop').events).toMatchObject([{ type: 'reply.truncated' }, { type: 'reply.started' }]);
  });

  it('before anything was heard re-opens the turn', () => {
    const machine = new Machine({ interruptBy: 'word' });
    machine.say(1, 'what is the weather');
    machine.cutIn(2);
    expect(machine.partial(2, 'in').events).toMatchObject([{ type: 'reply.cancelled', reason: 'speech' }]);
    expect(machine.state.utterance?.turn).toBe(1);
    machine.endTurn(2, 'in Rome');
    expect(machine.state.reply).toMatchObject({ turn: 1, attempt: 1, text: 'what is the weather in Rome' });
  });

  it('that was misheard lets the reply go on after all', () => {
    const machine = overheard();
    machine.partial(2, 'stop');
    expect(machine.endTurn(2, 'mm-hmm').events).toMatchObject([{ type: 'reply.started', turn: 1, attempt: 1 }]);
  });

  it('is asked for from the moment that the session wants it', () => {
    const machine = PHASES.speaking();
    machine.fold({ type: 'input.settings', settings: { interruptBy: 'word' } });
    expect(machine.cutIn(2)).toEqual(noDecisions());
    machine.fold({ type: 'input.settings', settings: { interruptBy: 'speech' } });
    expect(machine.partial(2, 'stop')).toEqual(noDecisions());
    expect(machine.confirmSpeech(2).events).toMatchObject([{ type: 'reply.truncated' }]);
  });
});

describe('speech over a reply that is understood while it goes on', () => {
  const LIMIT_MS = 1_200;
  const CUT = { type: 'reply.truncated', turn: 1, attempt: 0, heard: 'The weather' };

  /** A reply is heard, somebody speaks over it, and this much of it is understood. */
  function understood(text: string, settings: ConstructorParameters<typeof Machine>[0] = {}): Machine {
    const machine = new Machine(settings);
    machine.say(1, 'what is the weather');
    machine.clause(0, 'The weather is fine today.');
    machine.speak(0, 2 * RATE_HZ);
    machine.play(RATE_HZ);
    machine.fold({ type: 'speech.started', utterance: 2, sample: 16_000 });
    machine.partial(2, text);
    return machine;
  }
  const confirm = (machine: Machine, at: number, samples = 3_200) =>
    machine.fold({ type: 'speech.confirmed', utterance: 2, samples }, at);
  const settle = (machine: Machine, text: string, fromSample = 11_000) =>
    machine.fold({ type: 'transcript.final', utterance: 2, text, fromSample, toSample: 22_400 });
  const stopAt = (machine: Machine, sample: number) => machine.fold({ type: 'speech.stopped', utterance: 2, sample });

  it.each(['', 'stop', 'yeah but'])('stops it as soon as there is enough of it: %j', (text) => {
    expect(confirm(understood(text), 500).events).toMatchObject([CUT]);
  });

  it.each(['yeah', 'Mm-hmm.', 'oh okay', 'I see'])('does not where it shows that somebody listens: %j', (text) => {
    const machine = understood(text);
    expect(confirm(machine, 500)).toEqual(noDecisions());
    expect(stopAt(machine, 22_400).effects).toEqual([{ kind: 'restore' }]);
    expect(runningTimer(machine.state)).toBeUndefined();
    settle(machine, text);
    const decided = machine.fold({ type: 'turn.ended', utterance: 2, text, sample: 22_400, decidedSample: 30_000 });
    expect(decided).toMatchObject({ events: [], history: [], commands: [], effects: [{ kind: 'restore' }] });
    expect(machine.state).toMatchObject({ generation: 1, reply: { turn: 1, attempt: 0 }, utterance: null });
  });

  it('stops it with the first word that says more', () => {
    const machine = understood('okay');
    confirm(machine, 500);
    expect(machine.partial(2, 'okay okay')).toEqual(noDecisions());
    expect(machine.partial(2, 'okay stop').events).toMatchObject([CUT]);
    expect(machine.partial(2, 'okay stop it')).toEqual(noDecisions());
  });

  it('stops it where its settled text says more', () => {
    const machine = understood('okay');
    confirm(machine, 500);
    stopAt(machine, 22_400);
    expect(settle(machine, 'okay wait').events).toMatchObject([CUT]);
  });

  it('stops it when it has become too long to be no more than that', () => {
    const machine = understood('yeah');
    const since = machine.entry({ type: 'speech.confirmed', utterance: 2, samples: 3_200 }).id;
    confirm(machine, 500);
    expect(runningTimer(machine.state)).toEqual({ name: 'aside', since, atMs: 500 + LIMIT_MS - 200 });
    expect(machine.fold({ type: 'timer.fired', name: 'aside', since: '1-1' })).toEqual(noDecisions());
    expect(machine.fold({ type: 'timer.fired', name: 'aside', since }).events).toMatchObject([CUT]);
    expect(machine.fold({ type: 'timer.fired', name: 'aside', since })).toEqual(noDecisions());
  });

  it('stops it at once where it went on before the pause for that long', () => {
    const machine = understood('yeah');
    stopAt(machine, 22_400);
    machine.fold({ type: 'speech.started', utterance: 2, sample: 34_000 });
    expect(confirm(machine, 1_600).events).toMatchObject([CUT]);
  });

  it('waits for nothing in a language whose signs of listening are not known', () => {
    expect(confirm(understood('yeah', { language: 'fi' }), 500).events).toMatchObject([CUT]);
  });

  it('lets a typed reply alone that came on stage while it went on', () => {
    const machine = understood('yeah');
    confirm(machine, 500);
    machine.fold({ type: 'input.text', text: 'never mind' });
    const { reply } = machine.state;
    machine.partial(2, 'yeah and then');
    expect(machine.state.reply).toEqual(reply);
  });

  it.each(['', 'yeah', 'uh huh'])('lets a stopped reply go on with its settled text: %j', (text) => {
    const machine = understood('');
    confirm(machine, 500);
    expect(machine.state.reply).toBeNull();
    stopAt(machine, 22_400);
    expect(settle(machine, text).events).toMatchObject([{ type: 'reply.started', turn: 1, attempt: 1 }]);
    const decided = machine.fold({ type: 'turn.ended', utterance: 2, text, sample: 22_400, decidedSample: 30_000 });
    expect(decided).toMatchObject({ events: [], history: [], commands: [] });
    expect(machine.state).toMatchObject({ utterance: null, reply: { turn: 1, attempt: 1 } });
  });

  it('that goes on after its reply went on stops that again, and is answered', () => {
    const machine = understood('');
    confirm(machine, 500);
    stopAt(machine, 22_400);
    settle(machine, 'yeah');
    machine.fold({ type: 'speech.started', utterance: 2, sample: 26_000 });
    machine.partial(2, 'yeah but');
    expect(confirm(machine, 900).events).toMatchObject([{ type: 'reply.cancelled', turn: 1, attempt: 1 }]);
    machine.fold({ type: 'turn.ended', utterance: 2, text: 'yeah but why', sample: 34_000, decidedSample: 40_000 });
    expect(machine.state.reply).toMatchObject({ turn: 2, attempt: 0, text: 'yeah but why' });
  });

  it.each<[string, (machine: Machine) => void]>([
    ['says more', (machine) => void settle(machine, 'yeah but why')],
    ['is the second part of what is said', (machine) => void settle(machine, 'yeah', 18_000)],
    [
      'comes when somebody speaks again',
      (machine) => {
        machine.fold({ type: 'speech.started', utterance: 2, sample: 26_000 });
        settle(machine, 'yeah');
      },
    ],
  ])('leaves a reply stopped where its settled text %s', (_what, goOn) => {
    const machine = understood('');
    confirm(machine, 500);
    stopAt(machine, 22_400);
    goOn(machine);
    expect(machine.state.reply).toBeNull();
  });
});

describe('speech that goes on without a word', () => {
  const LIMIT_MS = 6_000;

  /** A reply is heard, and something is taken for speech that has no words. */
  function noisy(settings: ConstructorParameters<typeof Machine>[0] = {}): Machine {
    const machine = new Machine(settings);
    machine.say(1, 'what is the weather');
    machine.clause(0, 'The weather is fine today.');
    machine.speak(0, 2 * RATE_HZ);
    machine.play(RATE_HZ);
    machine.fold({ type: 'speech.started', utterance: 2, sample: 16_000 }, 1_000);
    machine.fold({ type: 'speech.confirmed', utterance: 2, samples: 3_200 }, 1_200);
    return machine;
  }
  const ring = (machine: Machine) => {
    const { name = '', since = '' } = runningTimer(machine.state) ?? {};
    return machine.fold({ type: 'timer.fired', name, since }, 1_000 + LIMIT_MS);
  };

  it('lets the reply go on that it stopped, while it still goes on', () => {
    const machine = noisy();
    expect(machine.state.reply).toBeNull();
    expect(runningTimer(machine.state)).toMatchObject({ name: 'wordless', atMs: 1_000 + LIMIT_MS });
    expect(ring(machine).events).toMatchObject([{ type: 'reply.started', turn: 1, attempt: 1 }]);
    expect(machine.state.utterance).toMatchObject({ number: 2, speaking: false });
    expect(runningTimer(machine.state)).toBeUndefined();
    machine.speakAll();
    machine.doneReplying();
    machine.play(2 * RATE_HZ);
    expect(machine.state.reply).toBeNull();
    expect(machine.endTurn(2, '')).toMatchObject({ events: [], history: [] });
  });

  it('stops it again with the first word', () => {
    const machine = noisy();
    ring(machine);
    expect(machine.partial(2, 'stop').events).toMatchObject([{ type: 'reply.cancelled', turn: 1, attempt: 1 }]);
    machine.endTurn(2, 'stop it');
    expect(machine.state.reply).toMatchObject({ text: 'stop it' });
  });

  it('is waited for where a word of it has been understood', () => {
    const machine = noisy();
    machine.partial(2, 'well');
    expect(runningTimer(machine.state)).toBeUndefined();
    expect(machine.fold({ type: 'timer.fired', name: 'wordless', since: '1-1' })).toEqual(noDecisions());
  });

  it('lets a reply begin that it held back', () => {
    const machine = new Machine({ interruptBy: 'word' });
    machine.fold({ type: 'speech.started', utterance: 1, sample: 0 }, 1_000);
    machine.fold({ type: 'input.text', text: 'hello' }, 2_000);
    machine.clause(0, 'Hello.');
    machine.audio(0, 0, RATE_HZ);
    expect(ring(machine).effects).toEqual([{ kind: 'restore' }]);
    expect(machine.state.utterance?.speaking).toBe(false);
    expect(machine.phase).toBe('thinking');
    machine.play(RATE_HZ);
    expect(machine.phase).toBe('speaking');
  });

  it('needs no end where there is nothing to be heard but for it', () => {
    const machine = PHASES.hearing();
    expect(runningTimer(machine.state)).toBeUndefined();
  });
});

describe('an interruption of a reply that is only written', () => {
  it('leaves what was written in the history, for it has been read', () => {
    const machine = new Machine({ textOnly: true });
    machine.fold({ type: 'input.text', text: 'what is the weather' });
    machine.clause(0, 'The weather is fine today. ');
    machine.clause(1, 'It will rain tomorrow.');
    const decided = machine.fold({ type: 'input.interrupt' });
    const text = 'The weather is fine today. It will rain tomorrow.';
    expect(decided.events).toMatchObject([{ type: 'reply.truncated', turn: 1, attempt: 0, heard: text, samples: 0 }]);
    expect(decided.history).toMatchObject([{ push: { role: 'assistant', text, truncated: true } }]);
  });

  it('that came before a clause of it cancels it', () => {
    const machine = new Machine({ textOnly: true });
    machine.fold({ type: 'input.text', text: 'what is the weather' });
    expect(machine.fold({ type: 'input.interrupt' }).events).toMatchObject([{ type: 'reply.cancelled' }]);
  });
});

/** A reply at each moment at which it can be interrupted, and whether any of it has been heard. */
const MOMENTS: readonly (readonly [
  string,
  (machine: Machine) => void,
  'unheard' | 'heard' | 'all words heard' | 'over',
])[] = [
  ['during thinking', () => undefined, 'unheard'],
  [
    'while a tool runs',
    (machine) => void machine.fold({ type: 'tool.call', ...FIRST, call: 'c1', name: 'weather', arguments: '{}' }),
    'unheard',
  ],
  [
    'while a tool runs and a filler is heard',
    (machine) => {
      machine.clause(0, 'One moment, please.');
      machine.fold({ type: 'tool.call', ...FIRST, call: 'c1', name: 'weather', arguments: '{}' });
      machine.speak(0, RATE_HZ);
      machine.play(RATE_HZ);
    },
    'heard',
  ],
  [
    'before the first sample',
    (machine) => {
      machine.clause(0, 'The weather is fine today.');
      machine.speak(0, 2 * RATE_HZ);
    },
    'unheard',
  ],
  [
    'at the first sample',
    (machine) => {
      machine.clause(0, 'The weather is fine today.');
      machine.speak(0, 2 * RATE_HZ);
      machine.play(1);
    },
    'unheard',
  ],
  [
    'in the middle',
    (machine) => {
      machine.clause(0, 'The weather is fine today.');
      machine.speak(0, 2 * RATE_HZ);
      machine.play(RATE_HZ);
    },
    'heard',
  ],
  [
    'at the last sample but one',
    (machine) => {
      machine.clause(0, 'The weather is fine today.');
      machine.doneReplying();
      machine.speak(0, 2 * RATE_HZ);
      machine.play(2 * RATE_HZ - 1);
    },
    'all words heard',
  ],
  [
    'at the last sample',
    (machine) => {
      machine.clause(0, 'The weather is fine today.');
      machine.doneReplying();
      machine.speak(0, 2 * RATE_HZ);
      machine.play(2 * RATE_HZ);
    },
    'over',
  ],
];

/** Ways to interrupt, and what is made of them. */
const WAYS: readonly (readonly [string, (machine: Machine) => void, 'stops' | 'goes on'])[] = [
  ['speech with words', (machine) => void machine.say(2, 'and tomorrow'), 'stops'],
  [
    'words too short to be confirmed',
    (machine) => {
      machine.startSpeech(2);
      machine.stopSpeech(2);
      machine.endTurn(2, 'stop');
    },
    'stops',
  ],
  ['typed text', (machine) => void machine.fold({ type: 'input.text', text: 'and tomorrow' }), 'stops'],
  ['the client', (machine) => void machine.fold({ type: 'input.interrupt' }), 'stops'],
  [
    'the client, twice',
    (machine) => {
      machine.fold({ type: 'input.interrupt' });
      machine.fold({ type: 'input.interrupt' });
    },
    'stops',
  ],
  [
    'speech and the client',
    (machine) => {
      machine.cutIn(2);
      machine.fold({ type: 'input.interrupt' });
      machine.stopSpeech(2);
      machine.endTurn(2, 'stop');
    },
    'stops',
  ],
  [
    'speech with words, twice',
    (machine) => {
      machine.say(2, 'and tomorrow');
      machine.say(3, 'and on friday');
    },
    'stops',
  ],
  ['confirmed speech with an empty transcript', (machine) => void machine.say(2, ''), 'goes on'],
  [
    'an empty transcript, twice',
    (machine) => {
      machine.say(2, '');
      machine.say(3, ' ');
    },
    'goes on',
  ],
  [
    'a cough too short to be confirmed',
    (machine) => {
      machine.startSpeech(2);
      machine.stopSpeech(2);
      machine.endTurn(2, '');
    },
    'goes on',
  ],
  ['a sign of listening', (machine) => void machine.say(2, 'Mm-hmm.'), 'goes on'],
];

describe.each(MOMENTS)('an interruption %s', (_when, reach, known) => {
  const reached = (): Machine => {
    const machine = new Machine();
    machine.say(1, 'what is the weather');
    reach(machine);
    return machine;
  };
  const stopsOf = (machine: Machine, from: number) =>
    machine.steps.slice(from).flatMap(({ effects }) => effects.filter(({ kind }) => kind === 'stop'));

  it.each(WAYS)('by %s is told with one stop a reply, and cancels all of its work', (_by, interrupt) => {
    const machine = reached();
    const from = machine.steps.length;
    interrupt(machine);
    const stops = stopsOf(machine, from);
    const replies = stops.map((stop) => JSON.stringify('reply' in stop ? stop.reply : undefined));
    expect(new Set(replies).size).toBe(replies.length);
    const cancelled = machine.steps.slice(from).flatMap(({ work }) => work.cancel);
    expect(cancelled.map((reply) => JSON.stringify(reply))).toEqual(replies);
  });

  it.each(WAYS)('by %s leaves in the history what was heard, and no more', (_by, interrupt, outcome) => {
    const machine = reached();
    const from = machine.steps.length;
    interrupt(machine);
    if (known === 'over') return expect(stopsOf(machine, from).length).toBeLessThanOrEqual(1);
    const told = machine.steps.slice(from).flatMap(({ events }) => events);
    const first = told.find((event) => 'attempt' in event && event.attempt === 0 && event.turn === 1);
    const wasStopped = stopsOf(machine, from).length > 0;
    expect(outcome === 'stops' ? wasStopped : true).toBe(true);
    const wasHeard = known !== 'unheard';
    if (wasStopped) expect(first?.type).toBe(wasHeard ? 'reply.truncated' : 'reply.cancelled');
    else expect(told).toEqual([]);
    const written = machine.steps
      .slice(from)
      .flatMap(({ history }) => history)
      .flatMap((op) => ('push' in op ? [op.push] : 'set' in op ? [op.message] : []))
      .filter((message) => message.role === 'assistant');
    expect(written.length > 0).toBe(wasHeard && wasStopped);
  });

  it.each(WAYS)('by %s lets the reply go on where nobody meant to stop it', (_by, interrupt, outcome) => {
    const machine = reached();
    const from = machine.steps.length;
    interrupt(machine);
    const isSame = machine.state.reply?.turn === 1 && machine.state.reply.text === 'what is the weather';
    // Where no word of it is left to be said, there is nothing that could go on.
    const isLeft = known === 'all words heard' ? stopsOf(machine, from).length === 0 : known !== 'over';
    if (outcome === 'goes on') expect(isSame).toBe(isLeft);
    else expect(isSame).toBe(false);
  });

  it.each(WAYS)('by %s leaves a usable session', (_by, interrupt) => {
    const machine = reached();
    interrupt(machine);
    machine.say((machine.state.utterance?.number ?? machine.state.endedUtterance) + 1, 'hello');
    expect(machine.state.reply?.text).toMatch(/hello$/);
    machine.clause(0, 'Good day.');
    machine.doneReplying();
    machine.speakAll();
    expect(machine.play(RATE_HZ).history).toMatchObject([{ push: { role: 'assistant', text: 'Good day.' } }]);
    expect(machine.phase).toBe('idle');
    expect(machine.state).toMatchObject({ resumable: null, reopened: null, speculative: null });
  });
});

describe('a second interruption', () => {
  const TWICE: readonly [string, (machine: Machine) => void][] = [
    ['confirmed speech', (machine) => void machine.confirmSpeech(2)],
    ['the client', (machine) => void machine.fold({ type: 'input.interrupt' })],
  ];

  it.each(TWICE)('by %s changes nothing', (_by, interrupt) => {
    for (const at of ['thinking', 'speaking'] as const) {
      const machine = PHASES[at]();
      machine.startSpeech(2);
      interrupt(machine);
      const { generation, historyLength } = machine.state;
      const before = machine.steps.length;
      interrupt(machine);
      expect(machine.steps[before]).toMatchObject(NOTHING_STOPPED);
      expect(machine.state).toMatchObject({ generation, historyLength, reply: null });
    }
  });

  it('finds nothing to stop where there is no reply', () => {
    const machine = PHASES.idle();
    expect(machine.fold({ type: 'input.interrupt' })).toMatchObject(NOTHING_STOPPED);
    expect(machine.state.generation).toBe(0);
  });
});

describe('after an interruption', () => {
  it('what workers still publish of the old reply is passed over', () => {
    const machine = PHASES.speaking();
    machine.fold({ type: 'input.interrupt' });
    const before = { ...machine.state };
    const old = { turn: 1, attempt: 0 };
    for (const event of [
      { type: 'reply.clause', ...old, clause: 2, text: 'More.' },
      { type: 'reply.done', ...old, text: '', clauses: 3, finish: 'stop' },
      { type: 'audio.chunk', ...old, clause: 1, startSample: RATE_HZ, samples: 960 },
      { type: 'audio.done', ...old, clause: 1, samples: 2 * RATE_HZ },
      { type: 'playback', ...old, samples: 3 * RATE_HZ },
      { type: 'holder.lost', stage: 'speak', holder: 'speak.1.0.1', try: 1, reason: 'silent' },
      { type: 'work.failed', stage: 'reply', ...old, code: 'engine_failed', retryable: true, try: 1 },
    ] as const) {
      expect(machine.fold(event)).toMatchObject({ ...NOTHING_STOPPED, work: { create: [], raiseTry: [] } });
    }
    expect({ ...machine.state, lastEvent: before.lastEvent }).toEqual(before);
  });
});
