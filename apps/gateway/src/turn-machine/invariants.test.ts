import {
  compareEventIds,
  DEFAULT_SETTINGS,
  type NewEvent,
  type Reply,
  replyKey,
  type SessionEvent,
  workKey,
} from '@parley/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { joinClauses, knownSamples } from './heard.ts';
import { type Decisions, fold, noDecisions, open, outstandingWork, phase, type TurnState } from './index.ts';
import { deepFreeze, Machine, RATE_HZ } from './machine-fixture.ts';
import { MAX_OFFERED_CLAUSES } from './state.ts';

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
  utterance: number;
}

const pick = <T>(from: readonly T[], number: number): T | undefined => from[number % Math.max(1, from.length)];

/** The reply on stage, or now and then an older one. */
function replyOf(world: World, b: number): Reply | undefined {
  const current = world.machine.state.reply ?? undefined;
  return b % 5 === 0 ? pick(world.replies, b) : (current ?? world.replies.at(-1));
}

/** A clause that is being spoken, and now and then any. */
function clauseOf({ machine }: World, a: number, b: number): number {
  const offered = [...(machine.state.reply?.clauses.entries() ?? [])].filter(([, { status }]) => status === 'offered');
  return b % 7 === 0 ? a % 4 : (pick(offered, a)?.[0] ?? a % 4);
}

const TEXTS = ['', ' ', 'hello', 'what is the weather', '今日は', 'stop'];
const CLAUSES = ['Yes.', 'The weather is fine today.', '', 'It will rain tomorrow, they say.', '元気です。'];

const ACTS = {
  startSpeech: ({ utterance }, a): NewEvent => ({ type: 'speech.started', utterance: utterance + (a % 3), sample: 0 }),
  confirmSpeech: ({ utterance }): NewEvent => ({ type: 'speech.confirmed', utterance, samples: 3_200 }),
  stopSpeech: ({ utterance }): NewEvent => ({ type: 'speech.stopped', utterance, sample: 9 }),
  settle: ({ utterance }): NewEvent => ({ type: 'transcript.final', utterance, text: 'a', fromSample: 0, toSample: 9 }),
  endTurn: ({ utterance }, a): NewEvent => ({
    type: 'turn.ended',
    utterance,
    text: pick(TEXTS, a) ?? '',
    sample: 9,
    decidedSample: 9,
  }),
  type: (_, a): NewEvent => ({ type: 'input.text', text: pick(TEXTS, a) ?? '' }),
  interrupt: (): NewEvent => ({ type: 'input.interrupt' }),
  change: (_, a): NewEvent => ({ type: 'input.settings', settings: a % 2 ? { language: 'ja' } : { speed: 1.5 } }),
  sayClause: (world, a, b): NewEvent | undefined => {
    const reply = replyOf(world, b);
    const next = world.machine.state.reply?.clauses.length ?? 0;
    const clause = a % 7 === 0 ? a % 4 : next;
    return reply && { type: 'reply.clause', ...reply, clause, text: pick(CLAUSES, a) ?? '' };
  },
  endReply: (world, _a, b): NewEvent | undefined => {
    const reply = replyOf(world, b);
    return reply && { type: 'reply.done', ...reply, text: '', clauses: 0, finish: 'stop' };
  },
  speakSome: (world, a, b): NewEvent | undefined => {
    const reply = replyOf(world, b);
    const clause = clauseOf(world, a, b);
    const startSample = world.machine.state.reply?.clauses[clause]?.samples ?? 0;
    return reply && { type: 'audio.chunk', ...reply, clause, startSample, samples: (1 + (b % 40)) * 2_400 };
  },
  endClause: (world, a, b): NewEvent | undefined => {
    const reply = replyOf(world, b);
    const clause = clauseOf(world, a, b);
    const made = world.machine.state.reply?.clauses[clause]?.samples ?? 0;
    return reply && { type: 'audio.done', ...reply, clause, samples: b % 9 === 0 ? 0 : made };
  },
  play: (world, a, b): NewEvent | undefined => {
    const reply = replyOf(world, b);
    const known = knownSamples(world.machine.state.reply?.clauses ?? []);
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
    const reply = replyOf(world, b);
    return reply && { type: 'reply.started', ...reply };
  },
  close: (_, a): NewEvent | undefined => (a % 10 === 0 ? { type: 'input.close', reason: 'client' } : undefined),
} as const satisfies Record<string, (world: World, a: number, b: number) => NewEvent | undefined>;

/** Weighted so that replies get somewhere before they are cut. */
const WEIGHTS: Partial<Record<keyof typeof ACTS, number>> = {
  endTurn: 3,
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

/** Runs the steps; `check` sees every fold. */
function run(
  steps: readonly Step[],
  check: (before: TurnState, entry: SessionEvent, decide: Decisions) => void,
): World {
  const world: World = { machine: new Machine(), log: [], replies: [], utterance: 1 };
  const { machine, log } = world;
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
      if (event.type === 'speech.started') world.utterance = event.utterance;
    }
    const before = machine.state;
    const { id: _id, at, ...event } = entry;
    const isOld = compareEventIds(entry.id, before.lastEvent) <= 0;
    const decide = isOld ? machine.foldEntry(entry) : machine.fold(event as NewEvent, at);
    if (!isOld) log.push(entry);
    const { reply } = machine.state;
    if (reply && replyKey(reply) !== replyKey(world.replies.at(-1) ?? { turn: 0, attempt: 0 })) {
      world.replies.push({ turn: reply.turn, attempt: reply.attempt });
    }
    check(before, entry, decide);
  }
  return world;
}

/** What the property tests require of every single step, with what they remember of the steps before. */
class Rules {
  readonly #stopped = new Set<string>();
  readonly #offered = new Map<string, number>();
  readonly #lastClause = new Map<string, number>();
  readonly #history: { role: string; turn: number; key: string }[] = [];
  #open: string | undefined;

  check(before: TurnState, entry: SessionEvent, decide: Decisions, after: TurnState): void {
    requirePlain(after, 'state');
    requirePlain({ ...decide, skipTo: decide.skipTo ?? null, settings: decide.settings ?? null }, 'decisions');
    this.#generations(before, decide, after);
    this.#replies(decide, after);
    this.#offers(decide, after);
    this.#messages(before, entry, decide);
    expect(after.historyLength).toBe(this.#history.length);
    if (before.closed) expect(decide).toEqual(noDecisions());
  }

  #generations(before: TurnState, decide: Decisions, after: TurnState): void {
    expect(after.generation).toBeGreaterThanOrEqual(before.generation);
    const stops = decide.effects.filter(({ kind }) => kind === 'stop').length;
    const starts = decide.events.filter(({ type }) => type === 'reply.started').length;
    expect(after.generation).toBe(before.generation + stops + starts);
    if (after.reply) expect(after.reply.generation).toBe(after.generation);
  }

  #replies(decide: Decisions, after: TurnState): void {
    for (const event of decide.events) {
      if (event.type === 'reply.started') {
        expect(this.#open).toBeUndefined();
        expect(this.#stopped).not.toContain(replyKey(event));
        this.#open = replyKey(event);
      } else if (event.type === 'reply.cancelled' || event.type === 'reply.truncated') {
        expect(this.#open).toBe(replyKey(event));
        expect(decide.work.cancel.map(replyKey)).toContain(replyKey(event));
        this.#stop(replyKey(event));
      }
    }
    if (!after.reply && this.#open) this.#stop(this.#open);
    expect(this.#open).toBe(after.reply ? replyKey(after.reply) : undefined);
    if (phase(after) === 'closed') return;
    const offered = after.reply?.clauses.filter(({ status }) => status === 'offered').length ?? 0;
    expect(offered).toBeLessThanOrEqual(MAX_OFFERED_CLAUSES);
    expect(after.reply?.played ?? 0).toBeGreaterThanOrEqual(0);
  }

  #stop(key: string): void {
    this.#stopped.add(key);
    this.#open = undefined;
  }

  #offers(decide: Decisions, after: TurnState): void {
    const items = [...decide.work.create.map(({ ref }) => workKey(ref))];
    for (const command of decide.commands) {
      if (command.queue === 'listen') {
        expect(command.number).toBe(after.listener.offers);
        continue;
      }
      const key = workKey(command.ref);
      expect(this.#stopped).not.toContain(replyKey(command.ref));
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

  #messages(before: TurnState, entry: SessionEvent, decide: Decisions): void {
    for (const op of decide.history) {
      const message = 'push' in op ? op.push : op.message;
      if ('set' in op) {
        expect(this.#history[op.set]).toMatchObject({ role: 'user', turn: message.turn });
        continue;
      }
      const key = message.role === 'assistant' ? `assistant ${replyKey(message)}` : `user ${message.turn}`;
      expect(this.#history.map((known) => known.key)).not.toContain(key);
      if (message.role === 'user') {
        const last = this.#history.findLast(({ role }) => role === 'user')?.turn ?? 0;
        expect(message.turn).toBe(last + 1);
      } else {
        requireHeard(before, entry, message.text);
      }
      this.#history.push({ role: message.role, turn: message.turn, key });
    }
  }
}

/** The text is from the beginning of what had at least begun to be played. */
function requireHeard({ reply }: TurnState, entry: SessionEvent, text: string): void {
  if (!reply) throw new Error('nothing was heard of no reply');
  const limit = knownSamples(reply.clauses);
  const played = entry.type === 'playback' ? Math.max(reply.played, Math.min(entry.samples, limit)) : reply.played;
  let start = 0;
  const begun: string[] = [];
  for (const clause of reply.clauses) {
    if (clause.samples > 0 && start < played) begun.push(clause.text);
    start += clause.samples;
  }
  expect(text).not.toBe('');
  expect(joinClauses(begun).startsWith(text)).toBe(true);
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

describe('whatever happens, in any order, late or twice', () => {
  it('every step keeps the rules', () => {
    fc.assert(
      fc.property(steps, (sequence) => {
        const rules = new Rules();
        run(sequence, (before, entry, decide) => {
          rules.check(before, entry, decide, fold(before, entry, noDecisions()));
        });
      }),
      { numRuns: 200 },
    );
  });

  it('a successor that takes over at any point arrives at the same state by the same decisions', () => {
    fc.assert(
      fc.property(steps, fc.nat(120), (sequence, cut) => {
        const world = run(sequence, () => undefined);
        const straight = replay(open(DEFAULT_SETTINGS, 0).state, world.log);
        expect(straight.state).toEqual(world.machine.state);
        const at = Math.min(cut, world.log.length);
        const first = replay(open(DEFAULT_SETTINGS, 0).state, world.log.slice(0, at));
        const carried: TurnState = JSON.parse(JSON.stringify(first.state));
        // It is given some events again that its predecessor had folded.
        const second = replay(carried, world.log.slice(Math.max(0, at - 3)));
        expect(second.state).toEqual(straight.state);
        expect([...first.decisions, ...second.decisions.slice(Math.min(3, at))]).toEqual(straight.decisions);
      }),
      { numRuns: 100 },
    );
  });

  it('honest workers bring every reply to its end', () => {
    fc.assert(
      fc.property(steps, (sequence) => {
        const { machine } = run(sequence, () => undefined);
        if (machine.state.closed) return;
        for (let round = 0; machine.state.reply && round < 100; round += 1) {
          const { reply } = machine.state;
          for (const [clause, { status, samples }] of reply.clauses.entries()) {
            if (status === 'offered') machine.speak(clause, Math.max(samples, RATE_HZ / 10));
          }
          if (machine.state.reply && !machine.state.reply.done) machine.doneReplying();
          if (machine.state.reply) machine.play(knownSamples(machine.state.reply.clauses));
        }
        expect(machine.state.reply).toBeNull();
      }),
      { numRuns: 100 },
    );
  });

  it('the state stays small', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 300, maxLength: 400, size: 'max' }), (sequence) => {
        const { machine } = run(sequence, () => undefined);
        const { stopped, utteranceTurns } = machine.state;
        expect(stopped.length).toBeLessThanOrEqual(16);
        expect(utteranceTurns.length).toBeLessThanOrEqual(64);
      }),
      { numRuns: 10 },
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
