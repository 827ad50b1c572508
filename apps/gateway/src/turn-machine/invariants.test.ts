import {
  compareEventIds,
  DEFAULT_SETTINGS,
  type NewEvent,
  type Reply,
  replyKey,
  type SessionEvent,
  type Settings,
  sameReply,
  workKey,
} from '@parley/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { plainWords } from './backchannels.ts';
import { joinClauses, knownSamples } from './heard.ts';
import {
  type Decisions,
  fold,
  isShown,
  noDecisions,
  open,
  outstandingWork,
  runningTimer,
  type TurnState,
} from './index.ts';
import { deepFreeze, Machine, RATE_HZ } from './machine-fixture.ts';
import { type ClauseState, MAX_HELD_CLAUSES, MAX_OFFERED_CLAUSES, MAX_SPECULATIONS } from './state.ts';

/**
 * One thing that somebody does. The numbers choose what it is done to, among what exists when its moment comes, so that
 * most sequences make sense and some do not.
 */
interface Act {
  readonly kind: keyof typeof ACTS;
  readonly a: number;
  readonly b: number;
}

interface World {
  readonly machine: Machine;
  /** All that has been written, for those who write it again. */
  readonly log: SessionEvent[];
  readonly replies: Reply[];
  /** Replies that were never held, or have been released, and whether they were held. */
  readonly released: Map<string, boolean>;
}

const pick = <T>(from: readonly T[], number: number): T | undefined => from[number % Math.max(1, from.length)];

/** The reply that is being made: the one on stage, or the one behind it. */
const making = ({ machine }: World) => machine.state.reply ?? machine.state.speculative;

/** That reply, or now and then an older one. */
function replyOf(world: World, b: number): Reply | undefined {
  const reply = b % 5 === 0 ? pick(world.replies, b) : (making(world) ?? world.replies.at(-1));
  return reply && { turn: reply.turn, attempt: reply.attempt };
}

/** The same for what an llm-worker says: flagged while the reply is held, and by a worker that knows no better for longer. */
function flagged(world: World, b: number): (Reply & { held?: true }) | undefined {
  const reply = replyOf(world, b);
  if (!reply) return undefined;
  const wasHeld = world.released.get(replyKey(reply));
  return wasHeld === undefined || (wasHeld && b % 4 === 0) ? { ...reply, held: true } : reply;
}

/** A clause that is being spoken, and now and then any. */
function clauseOf(world: World, a: number, b: number): number {
  const offered = [...(making(world)?.clauses.entries() ?? [])].filter(([, { status }]) => status === 'offered');
  return b % 7 === 0 ? a % 4 : (pick(offered, a)?.[0] ?? a % 4);
}

/** The utterance that is being heard, or comes next; now and then one that is over. */
function utteranceOf({ machine }: World, b: number): number {
  const { utterance, endedUtterance } = machine.state;
  return b % 11 === 0 ? endedUtterance : (utterance?.number ?? endedUtterance + 1);
}

/** No words to speak of where a reply was stopped, the words that the reply behind the stage answers, or others. */
function wordsOf({ machine }: World, a: number): string {
  const { speculative, reopened, resumable } = machine.state;
  if (resumable && a % 2 === 0) return pick(['', 'yeah', 'Mm-hmm.'], a) ?? '';
  if (!speculative || a % 3 === 0) return pick(TEXTS, a) ?? '';
  return `${speculative.text.slice(reopened ? reopened.text.length : 0).toUpperCase()}!`;
}

const TEXTS = ['', ' ', 'hello', 'yeah', 'what is the weather', '今日は', 'stop', 'mm-hmm, okay'];
const CLAUSES = ['Yes.', 'The weather is fine today.', '', 'It will rain tomorrow, they say.', '元気です。'];
const PATCHES = [{ language: 'ja' }, { speed: 1.5 }, { textOnly: true }, { textOnly: false }, { interruptBy: 'word' }];

const ACTS = {
  startSpeech: (world, a, b): NewEvent => ({
    type: 'speech.started',
    utterance: utteranceOf(world, b) + (a % 9 === 0 ? 1 : 0),
    sample: 0,
  }),
  confirmSpeech: (world, _a, b): NewEvent => ({
    type: 'speech.confirmed',
    utterance: utteranceOf(world, b),
    samples: 3_200,
  }),
  stopSpeech: (world, _a, b): NewEvent => ({ type: 'speech.stopped', utterance: utteranceOf(world, b), sample: 9 }),
  hearWords: (world, a, b): NewEvent => ({
    type: 'transcript.partial',
    utterance: utteranceOf(world, b),
    text: wordsOf(world, a).slice(0, 1 + (b % 20)),
  }),
  settle: (world, a, b): NewEvent => ({
    ...{ type: 'transcript.final', utterance: utteranceOf(world, b) },
    ...{ text: pick(['a', 'yeah', ''], a) ?? '', fromSample: 0, toSample: 9 },
  }),
  pause: (world, a, b): NewEvent => ({
    ...{ type: 'turn.eager', utterance: utteranceOf(world, b) },
    ...{ text: wordsOf(world, a), probability: 0.5 },
  }),
  resumeSpeech: (world, _a, b): NewEvent => ({ type: 'turn.resumed', utterance: utteranceOf(world, b) }),
  endTurn: (world, a, b): NewEvent => {
    const sample = pick([9, 9, 8_000, 40_000], b) ?? 9;
    const utterance = utteranceOf(world, b);
    return { type: 'turn.ended', utterance, text: wordsOf(world, a), sample, decidedSample: sample + 9 };
  },
  ringTimer: ({ machine }, a): NewEvent => {
    const { name = 'idle', since = '1-1' } = (a % 4 === 0 ? undefined : runningTimer(machine.state)) ?? {};
    return { type: 'timer.fired', name, since };
  },
  type: (_, a): NewEvent => ({ type: 'input.text', text: pick(TEXTS, a) ?? '' }),
  interrupt: (): NewEvent => ({ type: 'input.interrupt' }),
  reset: (): NewEvent => ({ type: 'input.reset' }),
  change: (_, a): NewEvent => ({
    type: 'input.settings',
    settings: (pick(PATCHES, a) ?? {}) as NewEvent<'input.settings'>['settings'],
  }),
  sayText: (world, _a, b): NewEvent | undefined => {
    const reply = flagged(world, b);
    return reply && { type: 'reply.delta', ...reply, text: 'x' };
  },
  sayClause: (world, a, b): NewEvent | undefined => {
    const reply = flagged(world, b);
    const next = making(world)?.clauses.length ?? 0;
    const clause = a % 7 === 0 ? a % 4 : next;
    return reply && { type: 'reply.clause', ...reply, clause, text: pick(CLAUSES, a) ?? '' };
  },
  endReply: (world, _a, b): NewEvent | undefined => {
    const reply = flagged(world, b);
    return reply && { type: 'reply.done', ...reply, text: '', clauses: 0, finish: 'stop' };
  },
  speakSome: (world, a, b): NewEvent | undefined => {
    const reply = replyOf(world, b);
    const clause = clauseOf(world, a, b);
    const startSample = making(world)?.clauses[clause]?.samples ?? 0;
    return reply && { type: 'audio.chunk', ...reply, clause, startSample, samples: (1 + (b % 40)) * 2_400 };
  },
  endClause: (world, a, b): NewEvent | undefined => {
    const reply = replyOf(world, b);
    const clause = clauseOf(world, a, b);
    const made = making(world)?.clauses[clause]?.samples ?? 0;
    return reply && { type: 'audio.done', ...reply, clause, samples: b % 9 === 0 ? 0 : made };
  },
  play: (world, a, b): NewEvent | undefined => {
    const reply = replyOf(world, b);
    const known = knownSamples(making(world)?.clauses ?? []);
    return reply && { type: 'playback', ...reply, samples: Math.floor(known * (pick([1, 0.5, 1.1, 0.3, 1], a) ?? 1)) };
  },
  loseWork: (world, a, b): NewEvent | undefined => {
    const work = pick(outstandingWork(world.machine.state), a);
    const reason = pick(['silent', 'silent', 'silent', 'unclaimed', 'no_worker'] as const, b) ?? 'silent';
    if (!work) return undefined;
    const older = b % 6 === 0 ? 1 : 0;
    return {
      type: 'holder.lost',
      stage: work.ref.stage,
      holder: workKey(work.ref),
      try: Math.max(0, work.try - older),
      reason,
    };
  },
  failWork: (world, a, b): NewEvent | undefined => {
    const work = pick(outstandingWork(world.machine.state), a);
    if (!work) return undefined;
    const handedBack = b % 3 === 0;
    const code = handedBack ? 'going_away' : 'engine_failed';
    return { type: 'work.failed', ...work.ref, try: work.try, code, retryable: handedBack || b % 2 === 0, handedBack };
  },
  loseListener: ({ machine }, a, b): NewEvent => {
    const reason = pick(['silent', 'silent', 'unclaimed', 'no_worker'] as const, b) ?? 'silent';
    const holder = b % 5 === 0 ? 'old' : machine.state.listener.fence;
    return { type: 'holder.lost', stage: 'listen', holder, try: 1, reason, cursor: (a % 3) * 640, inputSample: 4_000 };
  },
  failListener: (_, _a, b): NewEvent => ({
    type: 'work.failed',
    stage: 'listen',
    code: 'engine_failed',
    retryable: true,
    handedBack: b % 2 === 0,
  }),
  lease: (_, a): NewEvent => ({ type: 'lease.moved', fence: `f${a % 5}`, worker: 'w' }),
  offerLease: (_, a): NewEvent => ({ type: 'lease.offered', fence: `f${a % 5}` }),
  ownOutput: (world, _a, b): NewEvent | undefined => {
    const reply = flagged(world, b);
    return reply && { type: 'reply.started', ...reply };
  },
  close: (_, a): NewEvent | undefined => (a % 10 === 0 ? { type: 'input.close', reason: 'client' } : undefined),
} as const satisfies Record<string, (world: World, a: number, b: number) => NewEvent | undefined>;

/** Weighted so that replies get somewhere before they are cut. */
const WEIGHTS: Partial<Record<keyof typeof ACTS, number>> = {
  startSpeech: 3,
  confirmSpeech: 3,
  pause: 5,
  endTurn: 4,
  sayText: 3,
  sayClause: 10,
  speakSome: 14,
  endClause: 14,
  play: 14,
  endReply: 4,
  loseWork: 4,
};

const act: fc.Arbitrary<Act> = fc.record({
  kind: fc.oneof(
    ...Object.keys(ACTS).map((kind) => ({
      arbitrary: fc.constant(kind as keyof typeof ACTS),
      weight: WEIGHTS[kind as keyof typeof ACTS] ?? 1,
    })),
  ),
  a: fc.nat(60),
  b: fc.nat(60),
});

/** `act`, or something written before: under a new id (a late or repeated write), or delivered again under its own. */
const step = fc.oneof(
  { arbitrary: act, weight: 12 },
  { arbitrary: fc.record({ again: fc.constantFrom('new id', 'same id'), a: fc.nat(200) }), weight: 1 },
);
type Step = Act | { readonly again: 'new id' | 'same id'; readonly a: number };

/** Runs the steps in a session; `check` sees every fold. */
function run(
  settings: Partial<Settings>,
  steps: readonly Step[],
  check: (before: TurnState, entry: SessionEvent, decide: Decisions) => void = () => undefined,
): World {
  const world: World = { machine: new Machine(settings), log: [], replies: [], released: new Map() };
  const { machine, log } = world;
  note(world, machine.opened);
  for (const next of steps) {
    let entry: SessionEvent | undefined;
    if ('again' in next) {
      const old = pick(log, next.a);
      if (!old) continue;
      const { id: _id, at: _at, ...event } = old;
      if (next.again === 'same id') entry = old;
      else entry = machine.entry(event as NewEvent);
    } else {
      const event = ACTS[next.kind](world, next.a, next.b);
      if (!event) continue;
      entry = machine.entry(event);
    }
    const before = machine.state;
    const { id: _id, at, ...event } = entry;
    const isOld = compareEventIds(entry.id, before.lastEvent) <= 0;
    const decide = isOld ? machine.foldEntry(entry) : machine.fold(event as NewEvent, at);
    if (!isOld) log.push(entry);
    note(world, decide);
    check(before, entry, decide);
  }
  return world;
}

/** Remembers what replies there are. */
function note({ replies, released }: World, { events }: Decisions): void {
  for (const event of events) {
    if (event.type !== 'reply.started' && event.type !== 'reply.released') continue;
    const { turn, attempt } = event;
    if (event.type === 'reply.started') replies.push({ turn, attempt });
    if (event.type === 'reply.released') released.set(replyKey(event), true);
    else if (!event.held) released.set(replyKey(event), false);
  }
}

/** What the property tests require of every single step, with what they remember of the steps before. */
class Rules {
  /** Replies that are over, whether they were heard or not. */
  readonly #over = new Set<string>();
  /** Replies of which the client may know. */
  readonly #public = new Set<string>();
  readonly #offered = new Map<string, number>();
  readonly #lastClause = new Map<string, number>();
  readonly #speculations = new Map<number, number>();
  #history: { role: string; turn: number; key: string }[] = [];
  #open: string | undefined;
  #held: string | undefined;

  constructor({ state, opened }: Machine) {
    this.#replies(opened, state);
    this.#offers(opened, state);
    this.#messages(state, undefined, opened, state);
  }

  check(before: TurnState, entry: SessionEvent, decide: Decisions, after: TurnState): void {
    requirePlain(after, 'state');
    requirePlain({ ...decide, skipTo: decide.skipTo ?? null, settings: decide.settings ?? null }, 'decisions');
    if (before.closed) return expect(decide).toEqual(noDecisions());
    this.#generations(before, decide, after);
    this.#replies(decide, after);
    this.#speculation(before, decide, after);
    this.#offers(decide, after);
    this.#messages(before, entry, decide, after);
    this.#shown(before, entry, decide, after);
    requireAllSaid(before, decide, after);
    expect(after.historyLength).toBe(this.#history.length);
  }

  /** Only a stop, and a reply that comes on stage, move what may be heard. */
  #generations(before: TurnState, decide: Decisions, after: TurnState): void {
    const stops = decide.effects.filter(({ kind }) => kind === 'stop').length;
    const staged = decide.events.filter((event) => event.type === 'reply.released' || isStart(event, false)).length;
    expect(after.generation).toBe(before.generation + stops + staged);
    if (after.reply) expect(after.reply.generation).toBe(after.generation);
  }

  /** One reply at a time is on stage, one behind it; none comes back that is over. */
  #replies(decide: Decisions, after: TurnState): void {
    const cancelled = decide.work.cancel.map(replyKey);
    for (const event of decide.events) {
      if (isStart(event, true)) {
        expect([this.#open, this.#held]).toEqual([undefined, undefined]);
        expect(this.#over.has(replyKey(event))).toBe(false);
        this.#held = replyKey(event);
      } else if (isStart(event, false)) {
        expect([this.#open, this.#held]).toEqual([undefined, undefined]);
        expect(this.#over.has(replyKey(event))).toBe(false);
        this.#open = replyKey(event);
        this.#public.add(this.#open);
      } else if (event.type === 'reply.released') {
        expect([this.#open, this.#held]).toEqual([undefined, replyKey(event)]);
        this.#open = replyKey(event);
        this.#held = undefined;
        this.#public.add(this.#open);
      } else if (event.type === 'reply.cancelled' || event.type === 'reply.truncated') {
        const isHeld = 'held' in event && event.held === true;
        expect(isHeld ? this.#held : this.#open).toBe(replyKey(event));
        expect(cancelled).toContain(replyKey(event));
        this.#over.add(replyKey(event));
        if (isHeld) this.#held = undefined;
        else this.#open = undefined;
      }
    }
    if (!after.reply && this.#open) {
      this.#over.add(this.#open);
      this.#open = undefined;
    }
    expect(this.#open).toBe(after.reply ? replyKey(after.reply) : undefined);
    expect(this.#held).toBe(after.speculative ? replyKey(after.speculative) : undefined);
    for (const reply of [after.reply, after.speculative]) {
      const offered = reply?.clauses.filter(({ status }) => status === 'offered').length ?? 0;
      expect(offered).toBeLessThanOrEqual(MAX_OFFERED_CLAUSES);
      expect(reply?.played ?? 0).toBeGreaterThanOrEqual(0);
    }
  }

  /** What is prepared belongs to what is being heard, and is neither much nor often. */
  #speculation(before: TurnState, { events }: Decisions, after: TurnState): void {
    const { speculative, utterance, reply } = after;
    expect(reply?.held ?? false).toBe(false);
    for (const event of events) {
      if (!isStart(event, true) || !before.utterance) continue;
      const { number } = before.utterance;
      this.#speculations.set(number, (this.#speculations.get(number) ?? 0) + 1);
      expect(this.#speculations.get(number)).toBeLessThanOrEqual(MAX_SPECULATIONS);
    }
    if (!speculative || after.closed) return;
    expect(reply).toBeNull();
    expect(utterance).not.toBeNull();
    expect(speculative).toMatchObject({ held: true, played: 0 });
    const spoken = speculative.clauses.slice(MAX_HELD_CLAUSES).filter(({ text }) => text.trim() !== '');
    expect(spoken.every(({ status }) => status === 'waiting')).toBe(true);
  }

  #offers(decide: Decisions, after: TurnState): void {
    const items = [...decide.work.create.map(({ ref }) => workKey(ref))];
    for (const command of decide.commands) {
      if (command.queue === 'listen') {
        expect(command.number).toBe(after.listener.offers);
        continue;
      }
      const key = workKey(command.ref);
      expect(this.#over.has(replyKey(command.ref))).toBe(false);
      expect(command.ref.turn).toBeGreaterThanOrEqual(decide.work.dropTurnsBefore);
      if (command.queue === 'reply') expect(command.held ?? false).toBe(replyKey(command.ref) === this.#held);
      expect(command.try).toBe((this.#offered.get(key) ?? 0) + 1);
      this.#offered.set(key, command.try);
      if (command.try === 1) expect(items).toContain(key);
      else expect(decide.work.raiseTry).toMatchObject([{ ref: command.ref, try: command.try }]);
      if (command.ref.stage !== 'speak' || command.try > 1) continue;
      const last = this.#lastClause.get(replyKey(command.ref)) ?? -1;
      expect(command.ref.clause).toBeGreaterThan(last);
      this.#lastClause.set(replyKey(command.ref), command.ref.clause);
    }
    expect(decide.work.create.length).toBe(decide.commands.filter((c) => c.queue !== 'listen' && c.try === 1).length);
  }

  #messages(before: TurnState, entry: SessionEvent | undefined, decide: Decisions, after: TurnState): void {
    for (const op of decide.history) {
      if ('clear' in op) {
        expect(entry?.type).toBe('input.reset');
        this.#history = [];
        continue;
      }
      const message = 'push' in op ? op.push : op.message;
      const key = message.role === 'assistant' ? `assistant ${replyKey(message)}` : `user ${message.turn}`;
      if ('set' in op) {
        // A user's message grows, an assistant's turns out not to be cut: both stay what they are.
        expect(this.#history[op.set]?.key).toBe(key);
        expect(message).not.toHaveProperty('truncated');
        continue;
      }
      expect(this.#history.map((known) => known.key)).not.toContain(key);
      if (message.role === 'user') expect(message.turn).toBe(before.turn + 1);
      else requireHeard(before, entry, message.text, after.settings.textOnly);
      this.#history.push({ role: message.role, turn: message.turn, key });
    }
  }

  /** The client sees nothing of a reply that is held, and all of one that is on stage. */
  #shown(before: TurnState, entry: SessionEvent, decide: Decisions, after: TurnState): void {
    if (compareEventIds(entry.id, before.lastEvent) <= 0) return;
    const [epoch = '1', seq = '0'] = entry.id.split('-');
    // What is decided comes into the log after what it was decided upon.
    const decided = decide.events.map((event): SessionEvent => {
      return { ...event, id: `${epoch}-${Number(seq) + 1}`, at: entry.at } as SessionEvent;
    });
    for (const event of [entry, ...decided]) {
      if (!('attempt' in event) || event.turn === undefined || event.attempt === undefined) continue;
      const reply = { turn: event.turn, attempt: event.attempt };
      if (isShown(after, event)) expect(this.#public.has(replyKey(reply))).toBe(true);
      const isText = event.type === 'reply.delta' || event.type === 'reply.clause' || event.type === 'reply.done';
      const wasOnStage = event === entry ? sameReply(before.reply ?? undefined, reply) : replyKey(reply) === this.#open;
      if (isText && wasOnStage) expect(isShown(after, event)).toBe(true);
    }
  }
}

const isStart = (event: NewEvent, held: boolean): event is NewEvent<'reply.started'> =>
  event.type === 'reply.started' && (event.held ?? false) === held;

const unsaid = ({ text, from }: ClauseState): string => text.slice(from);

/** The text is from the beginning of what had at least begun to be played, or been written where that is all there is. */
function requireHeard({ reply }: TurnState, entry: SessionEvent | undefined, text: string, isReadOnly: boolean): void {
  expect(text).not.toBe('');
  if (isReadOnly) return;
  if (!reply) throw new Error('nothing was heard of no reply');
  const limit = knownSamples(reply.clauses);
  const played = entry?.type === 'playback' ? Math.max(reply.played, Math.min(entry.samples, limit)) : reply.played;
  let start = 0;
  const begun: string[] = [];
  for (const clause of reply.clauses) {
    if (clause.samples > 0 && start < played) begun.push(unsaid(clause));
    start += clause.samples;
  }
  expect(joinClauses(begun).startsWith(text)).toBe(true);
}

/** Where a reply goes on after an aside, what was heard of it and what is still to be said are all of it. */
function requireAllSaid({ resumable }: TurnState, decide: Decisions, after: TurnState): void {
  const started = decide.events.find((event) => isStart(event, false));
  const messages = decide.history.flatMap((op) => ('clear' in op ? [] : ['push' in op ? op.push : op.message]));
  const hasTurn = messages.some(({ role }) => role === 'user');
  if (!resumable || !started || hasTurn || started.turn !== resumable.reply.turn) return;
  const wasSayable = ({ status, samples }: ClauseState) =>
    resumable.wasRead
      ? status !== 'passed'
      : status !== 'passed' && status !== 'failed' && !(status === 'done' && samples === 0);
  const whole = resumable.reply.clauses.filter(wasSayable).map(unsaid);
  const written = decide.history.flatMap((op) => ('push' in op ? [op.push.text] : []));
  const left = after.reply ? after.reply.clauses.filter(({ status }) => status !== 'passed').map(unsaid) : written;
  const letters = (texts: readonly string[]) => plainWords(texts.join(' ')).replaceAll(' ', '');
  expect(letters([resumable.heard, ...left])).toBe(letters(whole));
}

/** Survives JSON unchanged: plain objects, arrays, strings, booleans, null and finite numbers. */
function requirePlain(value: unknown, path: string): void {
  if (value === null || value === undefined || typeof value === 'string' || typeof value === 'boolean') return;
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new Error(`${path} is ${value}`);
    return;
  }
  if (typeof value !== 'object') throw new Error(`${path} is a ${typeof value}`);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== Array.prototype) throw new Error(`${path} is no plain object`);
  for (const [key, part] of Object.entries(value)) {
    if (part === undefined && Array.isArray(value)) throw new Error(`${path}[${key}] is undefined`);
    requirePlain(part, `${path}.${key}`);
  }
}

const steps = fc.array(step, { maxLength: 120, size: 'max' });

const settings = fc.record({
  greeting: fc.constantFrom('', '', 'Hello there. Welcome!'),
  idlePrompt: fc.constantFrom('', 'Still there?'),
  interruptBy: fc.constantFrom('speech', 'speech', 'word'),
  speculation: fc.constantFrom(true, true, true, false),
  textOnly: fc.constantFrom(false, false, false, true),
} as const);

describe('whatever happens, in any order, late or twice', { timeout: 60_000 }, () => {
  it('every step keeps the rules', () => {
    fc.assert(
      fc.property(settings, steps, (set, sequence) => {
        const rules = new Rules(new Machine(set));
        run(set, sequence, (before, entry, decide) => {
          rules.check(before, entry, decide, fold(before, entry, noDecisions()));
        });
      }),
      { numRuns: 250 },
    );
  });

  it('a successor that takes over at any point arrives at the same state by the same decisions', () => {
    fc.assert(
      fc.property(settings, steps, fc.nat(120), (set, sequence, cut) => {
        const world = run(set, sequence);
        const opened = open({ ...DEFAULT_SETTINGS, ...set }, 0).state;
        const straight = replay(opened, world.log);
        expect(straight.state).toEqual(world.machine.state);
        const at = Math.min(cut, world.log.length);
        const first = replay(opened, world.log.slice(0, at));
        const carried: TurnState = JSON.parse(JSON.stringify(first.state));
        // It is given some events again that its predecessor had folded.
        const second = replay(carried, world.log.slice(Math.max(0, at - 3)));
        expect(second.state).toEqual(straight.state);
        expect([...first.decisions, ...second.decisions.slice(Math.min(3, at))]).toEqual(straight.decisions);
        // Both show the same events to the client.
        const shown = (state: TurnState) => world.log.map((entry) => isShown(state, entry));
        expect(shown(second.state)).toEqual(shown(straight.state));
      }),
      { numRuns: 100 },
    );
  });

  it('honest workers bring every reply to its end', () => {
    fc.assert(
      fc.property(settings, steps, (set, sequence) => {
        const { machine } = run(set, sequence);
        if (machine.state.closed) return;
        const { endedUtterance, utterance } = machine.state;
        machine.endTurn(utterance?.number ?? endedUtterance + 1, 'hello');
        for (let round = 0; machine.state.reply && round < 100; round += 1) {
          const { reply } = machine.state;
          for (const [clause, { status, samples }] of reply.clauses.entries()) {
            if (status === 'offered') machine.speak(clause, Math.max(samples, RATE_HZ / 10));
          }
          if (machine.state.reply && !machine.state.reply.done) machine.doneReplying();
          if (machine.state.reply) machine.play(knownSamples(machine.state.reply.clauses));
        }
        expect(machine.state).toMatchObject({ reply: null, speculative: null, utterance: null });
      }),
      { numRuns: 100 },
    );
  });

  it('the state stays small', () => {
    fc.assert(
      fc.property(settings, fc.array(step, { minLength: 300, maxLength: 400, size: 'max' }), (set, sequence) => {
        const { attempted, released, stopped, utteranceTurns } = run(set, sequence).machine.state;
        expect(stopped.length).toBeLessThanOrEqual(16);
        expect(released.length).toBeLessThanOrEqual(16);
        expect(utteranceTurns.length).toBeLessThanOrEqual(64);
        expect(attempted.length).toBeLessThanOrEqual(2);
      }),
      { numRuns: 10 },
    );
  });
});

describe('a reply over which somebody only shows that they listen', { timeout: 60_000 }, () => {
  const CLAUSE_TEXTS = [
    'Once upon a time. ',
    'There lived, they say, a miller.',
    'Ah! ',
    'He had three sons; ',
    '…and a cat',
  ];
  const round = fc.record({
    /** Clauses that are made before the aside, and a part of the next one. */
    made: fc.nat(2),
    part: fc.nat(RATE_HZ),
    /** How much is heard of that. */
    heard: fc.double({ min: 0, max: 1, noNaN: true }),
    words: fc.constantFrom('', 'yeah', 'Mm-hmm.'),
    isSaid: fc.boolean(),
  });

  it('is heard whole in the end, and the history has each word of it once', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...CLAUSE_TEXTS), { minLength: 1 }), fc.array(round), (texts, rounds) => {
        const machine = new Machine();
        machine.say(1, 'tell me a tale');
        for (const [clause, text] of texts.entries()) machine.clause(clause, text);
        for (const [index, { made, part, heard, words, isSaid }] of rounds.entries()) {
          if (isSaid && machine.state.reply?.done === false) machine.doneReplying();
          const offered = () => machine.state.reply?.clauses.findIndex(({ status }) => status === 'offered') ?? -1;
          for (let count = 0; count < made && offered() >= 0; count += 1) machine.speak(offered(), RATE_HZ);
          if (offered() >= 0) machine.audio(offered(), 0, part);
          machine.play(Math.floor(heard * knownSamples(machine.state.reply?.clauses ?? [])));
          if (machine.state.reply) machine.cutIn(index + 2);
          if (machine.state.utterance) machine.endTurn(index + 2, words);
        }
        if (machine.state.reply?.done === false) machine.doneReplying();
        for (let last = 0; machine.state.reply && last < 20; last += 1) {
          machine.speakAll();
          machine.play(knownSamples(machine.state.reply.clauses));
        }
        const history: string[] = [];
        for (const op of machine.steps.flatMap((decided) => decided.history)) {
          if ('set' in op) history[op.set] = op.message.text;
          else if ('push' in op) history.push(op.push.text);
        }
        const letters = (said: readonly string[]) => plainWords(said.join(' '));
        expect(machine.state.reply).toBeNull();
        expect(letters(history.slice(1))).toBe(letters(texts));
        expect(machine.state.historyLength).toBe(history.length);
      }),
      { numRuns: 300 },
    );
  });
});

function replay(from: TurnState, log: readonly SessionEvent[]): { state: TurnState; decisions: Decisions[] } {
  let state = from;
  const decisions = log.map((entry) => {
    const decide = noDecisions();
    state = fold(deepFreeze(state), entry, decide);
    return decide;
  });
  return { state, decisions };
}
