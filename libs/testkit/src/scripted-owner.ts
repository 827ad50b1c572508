import { randomUUID } from 'node:crypto';
import { bytesToInt16, concatInt16 } from '@parley/audio';
import type { Bus, CommitRequest, WorkInspection } from '@parley/bus';
import {
  DEFAULT_SETTINGS,
  type EventType,
  type HistoryMessage,
  type NewEvent,
  type Reply,
  type SessionEvent,
  type SessionId,
  type Settings,
  type WorkRef,
  workKey,
} from '@parley/protocol';

/** Long enough for any test; the queue's priority follows from it. */
const DEADLINE_MS = 60_000;

export interface OfferOptions {
  readonly try?: number;
  readonly held?: boolean;
  readonly trace?: string;
}

/** A session with an owner that does nothing but what the test tells it: adds work, offers, cancels, raises tries. */
export class ScriptedOwner {
  readonly bus: Bus;
  readonly session: SessionId;
  readonly #cursor: string;
  readonly #epoch: number;

  private constructor(bus: Bus, session: SessionId, epoch: number, cursor: string) {
    this.bus = bus;
    this.session = session;
    this.#epoch = epoch;
    this.#cursor = cursor;
  }

  /** Creates a session owned by the process of this bus. */
  static async open(bus: Bus, settings: Partial<Settings> = {}): Promise<ScriptedOwner> {
    const session = randomUUID();
    const created = await bus.sessions.create({
      ...{ session, tokenHash: 'token', keyHash: 'key', state: '{}' },
      settings: { ...DEFAULT_SETTINGS, ...settings },
    });
    if (!created.ok) throw new Error(created.refusal);
    return new ScriptedOwner(bus, session, created.epoch, created.eventCursor);
  }

  /** Has the process of another bus take the session over. */
  async moveTo(bus: Bus): Promise<ScriptedOwner> {
    const taken = await bus.sessions.resume({ session: this.session, tokenHash: null, keyHash: null });
    if (!taken.ok) throw new Error(taken.refusal);
    return new ScriptedOwner(bus, this.session, taken.epoch, taken.eventCursor);
  }

  /** Adds a piece of work without offering it. */
  async addWork(ref: WorkRef, input: object): Promise<void> {
    await this.#commit({ work: { create: [{ ref, input: JSON.stringify(input) }] } });
  }

  /** Puts an offer of the work into its queue. */
  async offer(ref: WorkRef, options: OfferOptions = {}): Promise<void> {
    const { stage, ...ids } = ref;
    const attempt = options.try ?? 1;
    const job = {
      ...{ session: this.session, try: attempt, deadlineMs: this.bus.redisNowMs() + DEADLINE_MS },
      ...ids,
      ...(options.trace === undefined ? {} : { trace: options.trace }),
      ...(options.held === undefined ? {} : { held: options.held }),
    };
    const id = `${this.session}.${workKey(ref)}.${attempt}`;
    if (stage === 'reply') await this.bus.queues.reply.offer(id, job);
    else await this.bus.queues.speak.offer(id, { ...job, clause: ref.clause });
  }

  /** Adds a piece of work and offers it. */
  async start(ref: WorkRef, input: object, options: OfferOptions = {}): Promise<void> {
    await this.addWork(ref, input);
    await this.offer(ref, options);
  }

  /** Takes the work from its holder and offers it anew, with another input where one is given. */
  async raiseTry(ref: WorkRef, attempt: number, input?: object): Promise<void> {
    const changed = input === undefined ? {} : { input: JSON.stringify(input) };
    await this.#commit({ work: { raiseTry: [{ ref, try: attempt, ...changed }] } });
    await this.offer(ref, { try: attempt });
  }

  /** Adds messages to the session's history. */
  async remember(...messages: readonly HistoryMessage[]): Promise<void> {
    await this.#commit({ history: messages.map((message) => ({ push: message })) });
  }

  /** Cancels in the session's keys, with the message to the workers lost. */
  async cancelUnheard(...replies: readonly Reply[]): Promise<void> {
    await this.#commit({ work: { cancel: replies } });
  }

  /** Cancels in the session's keys and tells the workers. */
  async cancel(...replies: readonly Reply[]): Promise<void> {
    await this.cancelUnheard(...replies);
    await this.bus.control.publish({ session: this.session, cancel: [...replies] });
  }

  /** Releases a held reply: in the log, and with a message to the workers unless that is lost. */
  async release(reply: Reply, { heard = true } = {}): Promise<void> {
    const { turn, attempt } = reply;
    await this.#append({ type: 'reply.released', turn, attempt, text: '' });
    if (heard) await this.bus.control.publish({ session: this.session, released: { turn, attempt } });
  }

  /** Answers a call of a tool, as a client would through its gateway. */
  async toolResult(call: string, result: string): Promise<void> {
    await this.#append({ type: 'input.tool_result', call, result });
  }

  async close(): Promise<void> {
    await this.#commit({ close: true });
  }

  /** What was written to the log, of one type where it is given. */
  async events<T extends EventType = EventType>(type?: T): Promise<SessionEvent<T>[]> {
    const events = await this.bus.log.read(this.session, '0-0', 10_000);
    return events.filter((event): event is SessionEvent<T> => type === undefined || event.type === type);
  }

  async work(ref: WorkRef): Promise<WorkInspection | undefined> {
    const found = await this.bus.registry.inspect(this.session);
    return found?.work.find(({ key }) => key === workKey(ref));
  }

  /** The published speech of a clause. Throws if a sample is missing or there twice. */
  async speech(ref: WorkRef & { readonly stage: 'speak' }): Promise<{ samples: Int16Array; isComplete: boolean }> {
    const entries = await this.bus.audioOut.read(this.session, '0', 10_000);
    const ofClause = entries.filter(
      ({ turn, attempt, clause }) => turn === ref.turn && attempt === ref.attempt && clause === ref.clause,
    );
    const chunks: Int16Array[] = [];
    let position = 0;
    for (const { startSample, pcm } of ofClause) {
      if (startSample !== position) throw new Error(`speech goes on at ${startSample}, not at ${position}`);
      const samples = bytesToInt16(pcm);
      position += samples.length;
      chunks.push(samples);
    }
    const ends = ofClause.filter(({ last }) => last).length;
    if (ends > 1) throw new Error(`the clause ends ${ends} times`);
    return { samples: concatInt16(chunks), isComplete: ends === 1 && ofClause.at(-1)?.last === true };
  }

  async #append(event: NewEvent): Promise<void> {
    const holder = { kind: 'owner', epoch: this.#epoch } as const;
    const done = await this.bus.sessions.append({ session: this.session, holder, events: [event] });
    if (!done.ok) throw new Error(done.refusal);
  }

  async #commit(changes: Pick<CommitRequest, 'work' | 'history' | 'close'>): Promise<void> {
    const done = await this.bus.sessions.commit({
      ...{ session: this.session, epoch: this.#epoch, state: '{}', generation: 0 },
      ...{ expectedCursor: this.#cursor, cursor: this.#cursor },
      ...changes,
    });
    if (!done.ok) throw new Error(done.refusal);
  }
}
