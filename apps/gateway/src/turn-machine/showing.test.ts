import { compareEventIds, type NewEvent, type SessionEvent } from '@parley/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fold, inShownOrder, isShown, noDecisions, shownAs, shownFrom, type TurnState } from './index.ts';
import { deepFreeze, Machine } from './machine-fixture.ts';

const QUESTION = 'what is the weather';
const FIRST = { turn: 1, attempt: 0 } as const;

/** What a worker writes of the reply, by letters: a delta is its letter, a clause is numbered by its place. */
type Said = 'delta' | 'clause' | 'done' | 'tool';

/** A log in which a reply was prepared, released, and written on by a worker that hears of that at some moment. */
class Log {
  readonly machine = new Machine();
  readonly entries: SessionEvent[] = [];
  /** The state after each entry, by its place. */
  readonly states: TurnState[] = [];
  readonly live: SessionEvent[] = [];
  #letters = 0;
  #clauses = 0;
  #decided: readonly NewEvent[] = [];

  write(event: NewEvent): void {
    const entry = this.machine.entry(event);
    const shown = shownAs(this.machine.state, entry);
    this.machine.fold(event);
    this.entries.push(entry);
    this.states.push(this.machine.state);
    if (isShown(this.machine.state, shown)) this.live.push(shown);
  }

  say(said: Said, isHeld: boolean): void {
    const reply = isHeld ? { ...FIRST, held: true } : FIRST;
    if (said === 'delta') this.write({ type: 'reply.delta', ...reply, text: this.#letter() });
    else if (said === 'tool') this.write({ type: 'tool.call', ...FIRST, call: 'c', name: 'f', arguments: '{}' });
    else if (said === 'done')
      this.write({ type: 'reply.done', ...reply, text: '', clauses: this.#clauses, finish: 'stop' });
    else this.write({ type: 'reply.clause', ...reply, clause: this.#clauses++, text: `${this.#letter()}.` });
  }

  decide(): void {
    this.write({ type: 'turn.ended', utterance: 1, text: QUESTION, sample: 8_000, decidedSample: 9_000 });
    this.#decided = this.machine.steps.at(-1)?.events ?? [];
  }

  commit(): void {
    for (const event of this.#decided) this.write(event);
  }

  #letter(): string {
    return String.fromCharCode(97 + this.#letters++);
  }
}

interface Course {
  readonly before: readonly Said[];
  readonly between: readonly (readonly [Said, boolean])[];
  readonly after: readonly (readonly [Said, boolean])[];
  readonly isDone: boolean;
}

function run({ before, between, after, isDone }: Course): Log {
  const log = new Log();
  log.write({ type: 'speech.started', utterance: 1, sample: 0 });
  log.write({ type: 'turn.eager', utterance: 1, text: QUESTION, probability: 0.9 });
  for (const said of before) log.say(said, true);
  log.decide();
  for (const [said, isHeld] of between) log.say(said, isHeld);
  log.commit();
  for (const [said, isHeld] of after) log.say(said, isHeld);
  if (isDone) log.say('done', true);
  return log;
}

const textOf = (event: NewEvent): string =>
  event.type === 'reply.released' || event.type === 'reply.delta' ? event.text : '';

/** The reply as a client has it: each kind of thing in the order in which it came. */
function asRead(events: readonly SessionEvent[]) {
  const ofReply = events.filter((event) => event.type.startsWith('reply.') || event.type === 'tool.call');
  return {
    first: ofReply[0]?.type,
    text: ofReply.map(textOf).join(''),
    clauses: ofReply.flatMap((event) => (event.type === 'reply.clause' ? [[event.clause, event.text]] : [])),
    dones: ofReply.filter(({ type }) => type === 'reply.done').length,
    last: ofReply.at(-1)?.type,
  };
}

const written = (log: Log) => ({
  first: 'reply.released',
  text: log.entries.map((event) => (event.type === 'reply.delta' ? event.text : '')).join(''),
  clauses: [
    ...new Map(
      log.entries.flatMap((event) => (event.type === 'reply.clause' ? [[event.clause, event.text] as const] : [])),
    ),
  ],
  dones: log.entries.some(({ type }) => type === 'reply.done') ? 1 : 0,
});

const ids = (events: readonly SessionEvent[]): string[] => events.map(({ id }) => id);

const said = fc.constantFrom<Said>('delta', 'delta', 'clause', 'tool');
const flagged = fc.tuple(said, fc.boolean());
const course = fc.record({
  before: fc.array(fc.constantFrom<Said>('delta', 'clause'), { maxLength: 5 }),
  between: fc.array(flagged, { maxLength: 5 }),
  after: fc.array(flagged, { maxLength: 4 }),
  isDone: fc.boolean(),
});

describe('a release that workers were faster than', () => {
  it('is shown first, with the text so far, and what came between after it', () => {
    const log = run({
      before: ['delta', 'clause'],
      between: [
        ['delta', true],
        ['clause', true],
        ['delta', false],
      ],
      after: [['delta', true]],
      isDone: true,
    });
    const shown = log.live.filter(({ type }) => type.startsWith('reply.'));
    expect(shown).toMatchObject([
      { type: 'reply.released', text: 'a' },
      { type: 'reply.clause', clause: 0, text: 'b.' },
      { type: 'reply.delta', text: 'c' },
      { type: 'reply.clause', clause: 1, text: 'd.' },
      { type: 'reply.delta', text: 'e' },
      { type: 'reply.delta', text: 'f' },
      { type: 'reply.done' },
    ]);
    const places = ids(log.entries).slice(ids(log.entries).indexOf(shown[0]?.id ?? ''));
    expect(ids(shown)).toEqual(places);
  });

  it('is told whole and in order, each text once and under ids that rise, whatever came between', () => {
    fc.assert(
      fc.property(course, (one) => {
        const log = run(one);
        const { last, ...read } = asRead(log.live);
        expect(read).toEqual(written(log));
        if (read.dones > 0) expect(last).toBe('reply.done');
        for (const [index, { id }] of log.live.entries())
          expect(compareEventIds(id, log.live[index - 1]?.id ?? '0-0')).toBeGreaterThan(0);
        expect(log.machine.state.showings).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  it('is told alike to a client that resumes anywhere, by an owner that takes over anywhere', () => {
    fc.assert(
      fc.property(course, fc.nat(30), fc.nat(30), (one, lost, taken) => {
        const log = run(one);
        // What the release decided stands in the log, so the state that decided it was written.
        const decidedAt = log.entries.findIndex(({ type }) => type === 'turn.ended');
        const cursor = decidedAt + (taken % (log.entries.length - decidedAt));
        const last = log.live.length === 0 ? '0-0' : (log.live[lost % log.live.length]?.id ?? '0-0');
        let state: TurnState = deepFreeze(JSON.parse(JSON.stringify(log.states[cursor])));
        const from = shownFrom(state, last);
        const missed = log.entries.filter(
          ({ id }) => compareEventIds(id, from) > 0 && compareEventIds(id, log.entries[cursor]?.id ?? '0-0') <= 0,
        );
        const told = inShownOrder(state, missed).filter((event) => isShown(state, event));
        for (const entry of log.entries.slice(cursor + 1)) {
          const shown = shownAs(state, entry);
          state = deepFreeze(fold(state, entry, noDecisions()));
          if (isShown(state, shown)) told.push(shown);
        }
        const plain = (events: readonly SessionEvent[]) =>
          events.filter(({ id }) => compareEventIds(id, last) > 0).map((event) => ({ ...event, held: undefined }));
        expect(plain(told)).toEqual(plain(log.live));
      }),
      { numRuns: 500 },
    );
  });

  it('is the last that is told where an interruption came before it was written', () => {
    const log = new Log();
    log.write({ type: 'speech.started', utterance: 1, sample: 0 });
    log.write({ type: 'turn.eager', utterance: 1, text: QUESTION, probability: 0.9 });
    log.say('delta', true);
    log.decide();
    log.write({ type: 'input.interrupt' });
    log.say('delta', true);
    log.commit();
    expect(log.live.filter(({ type }) => type.startsWith('reply.'))).toMatchObject([
      { type: 'reply.released', text: 'a' },
    ]);
  });
});
