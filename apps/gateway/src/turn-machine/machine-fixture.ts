import { DEFAULT_SETTINGS, type NewEvent, type SessionEvent, type Settings } from '@parley/protocol';
import { type Decisions, fold, noDecisions, open, type Phase, phase, type TurnState } from './index.ts';

/** Samples of reply audio in a second, as most tests have it. */
export const RATE_HZ = DEFAULT_SETTINGS.outputRateHz;

/** Makes any change of a value an error, at whatever depth. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) deepFreeze(part);
  }
  return value;
}

/**
 * A turn machine with its log: each event gets the next id, and the state before a step is frozen, so that a step which
 * is not pure fails the test.
 */
export class Machine {
  #state: TurnState;
  #seq = 1;
  readonly opened: Decisions;
  /** What every step has decided, in order. */
  readonly steps: Decisions[] = [];

  constructor(settings: Partial<Settings> = {}) {
    const { state, decisions } = open({ ...DEFAULT_SETTINGS, ...settings }, 0);
    this.#state = deepFreeze(state);
    this.opened = decisions;
  }

  get state(): TurnState {
    return this.#state;
  }

  get phase(): Phase {
    return phase(this.#state);
  }

  /** The event as it will stand in the log if it is folded next. */
  entry(event: NewEvent, at = this.#seq * 10): SessionEvent {
    return { ...event, id: `1-${this.#seq}`, at } as SessionEvent;
  }

  /** Folds an event under the next id; answers what it decided. */
  fold(event: NewEvent, at?: number): Decisions {
    const entry = this.entry(event, at);
    this.#seq += 1;
    return this.foldEntry(entry);
  }

  foldEntry(entry: SessionEvent): Decisions {
    const decide = noDecisions();
    this.#state = deepFreeze(fold(this.#state, deepFreeze(entry), decide));
    this.steps.push(decide);
    return decide;
  }

  // ---- what workers and clients write ----------------------------------------------------------------------------

  startSpeech(utterance: number): Decisions {
    return this.fold({ type: 'speech.started', utterance, sample: 0 });
  }

  confirmSpeech(utterance: number): Decisions {
    return this.fold({ type: 'speech.confirmed', utterance, samples: 3_200 });
  }

  partial(utterance: number, text: string): Decisions {
    return this.fold({ type: 'transcript.partial', utterance, text });
  }

  /** The utterance may be over. */
  eager(utterance: number, text: string, at?: number): Decisions {
    return this.fold({ type: 'turn.eager', utterance, text, probability: 0.7 }, at);
  }

  stopSpeech(utterance: number): Decisions {
    return this.fold({ type: 'speech.stopped', utterance, sample: 8_000 });
  }

  endTurn(utterance: number, text: string, at?: number): Decisions {
    return this.fold({ type: 'turn.ended', utterance, text, sample: 8_000, decidedSample: 16_000 }, at);
  }

  /** A whole utterance, from its onset to its end. */
  say(utterance: number, text: string): Decisions {
    this.startSpeech(utterance);
    this.confirmSpeech(utterance);
    this.stopSpeech(utterance);
    return this.endTurn(utterance, text);
  }

  /** The user begins to speak over what is going on, and it is confirmed that it is speech. */
  cutIn(utterance: number): Decisions {
    this.startSpeech(utterance);
    return this.confirmSpeech(utterance);
  }

  delta(text: string): Decisions {
    return this.fold({ type: 'reply.delta', ...this.#current(), text, ...this.#held() });
  }

  clause(clause: number, text: string): Decisions {
    return this.fold({ type: 'reply.clause', ...this.#current(), clause, text, ...this.#held() });
  }

  doneReplying(): Decisions {
    const clauses = this.#reply()?.clauses.length ?? 0;
    return this.fold({
      ...{ type: 'reply.done', ...this.#current(), text: '', clauses, finish: 'stop' },
      ...this.#held(),
    } as const);
  }

  audio(clause: number, startSample: number, samples: number): Decisions {
    return this.fold({ type: 'audio.chunk', ...this.#current(), clause, startSample, samples });
  }

  /** A whole clause is synthesised. */
  speak(clause: number, samples: number): Decisions {
    this.audio(clause, 0, samples);
    return this.fold({ type: 'audio.done', ...this.#current(), clause, samples });
  }

  play(samples: number): Decisions {
    return this.fold({ type: 'playback', ...this.#current(), samples });
  }

  /** All that has been offered is synthesised, at `samples` a clause, until nothing more is. */
  speakAll(samples = RATE_HZ): void {
    for (;;) {
      const clause = this.#reply()?.clauses.findIndex(({ status }) => status === 'offered') ?? -1;
      if (clause < 0) return;
      this.speak(clause, samples);
    }
  }

  /** The holder of the current reply, or of a clause of it, has no pulse any more. */
  lose(
    clause: number | undefined,
    reason: 'silent' | 'unclaimed' | 'no_worker' = 'silent',
    number?: number,
  ): Decisions {
    const reply = this.#reply();
    const { turn, attempt } = this.#current();
    const holder = clause === undefined ? `reply.${turn}.${attempt}` : `speak.${turn}.${attempt}.${clause}`;
    const current = clause === undefined ? reply?.try : reply?.clauses[clause]?.try;
    const stage = clause === undefined ? 'reply' : 'speak';
    return this.fold({ type: 'holder.lost', stage, holder, try: number ?? current ?? 1, reason });
  }

  loseListener(reason: 'silent' | 'unclaimed' | 'no_worker', cursor = 0, inputSample = 0): Decisions {
    const { fence, offers } = this.#state.listener;
    return this.fold({ type: 'holder.lost', stage: 'listen', holder: fence, try: offers, reason, cursor, inputSample });
  }

  /** The reply on stage, or the one behind it. */
  #reply(): TurnState['reply'] {
    return this.#state.reply ?? this.#state.speculative;
  }

  #current(): { turn: number; attempt: number } {
    const { turn = 1, attempt = 0 } = this.#reply() ?? {};
    return { turn, attempt };
  }

  #held(): { held?: true } {
    return this.#reply()?.held ? { held: true } : {};
  }
}

/** A machine in each of its phases, by name. */
export const PHASES: Readonly<Record<Phase, () => Machine>> = {
  idle: () => new Machine(),
  hearing: () => {
    const machine = new Machine();
    machine.startSpeech(1);
    return machine;
  },
  thinking: () => {
    const machine = new Machine();
    machine.say(1, 'what is the weather');
    machine.clause(0, 'The weather is fine today.');
    return machine;
  },
  speaking: () => {
    const machine = new Machine();
    machine.say(1, 'what is the weather');
    machine.clause(0, 'The weather is fine today.');
    machine.clause(1, 'It will rain tomorrow.');
    machine.speak(0, 2 * RATE_HZ);
    machine.audio(1, 0, RATE_HZ);
    machine.play(RATE_HZ);
    return machine;
  },
  closed: () => {
    const machine = new Machine();
    machine.fold({ type: 'input.close', reason: 'client' });
    return machine;
  },
};
