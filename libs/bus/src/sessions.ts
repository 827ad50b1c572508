import { randomBytes } from 'node:crypto';
import type {
  HearingState,
  HistoryMessage,
  NewEvent,
  ProcessRef,
  Reply,
  SessionId,
  Settings,
  WorkRef,
} from '@parley/protocol';
import {
  CONTROL_CHANNEL,
  type EventId,
  encodeEvent,
  HearingStateSchema,
  INITIAL_HEARING,
  ProcessRefSchema,
  replyKey,
  SettingsSchema,
  sessionKeys,
  VoiceError,
  workKey,
} from '@parley/protocol';
import { decodeHistory } from './history.ts';
import type { BusMetrics } from './metrics.ts';
import type { RedisConnection } from './redis-connection.ts';
import { runScript, type ScriptArgument, type ScriptName } from './scripts.ts';

/** A script's refusal. It is a value, not an exception: being refused is how a process learns that it was replaced. */
export type Refused<R extends string> = { readonly ok: false; readonly refusal: R };

/** Everything a gateway needs to carry a session on, as answered by `own`. */
export interface SessionSnapshot {
  readonly ok: true;
  readonly epoch: number;
  /** Id of the `session.moved` that this take-over wrote. */
  readonly movedEvent: EventId;
  /** The turn machine's state, opaque to the bus. */
  readonly state: string;
  /** The last event folded into the state. */
  readonly eventCursor: EventId;
  readonly settings: Settings;
  readonly generation: number;
  readonly listener?: ProcessRef & { readonly fence: string };
  readonly audioCursor: number;
  readonly hearing: HearingState;
  /** End sample of the newest entry ever added to `in`, 0 when none was. */
  readonly inputSample: number;
  /** Commands decided but not yet in a queue, by command id. */
  readonly outbox: ReadonlyMap<string, string>;
  /** Redis TIME (ms) at which the session was created. */
  readonly created: number;
  readonly previousOwner?: ProcessRef;
}

export interface WorkCreate {
  readonly ref: WorkRef;
  /** JSON, opaque to the bus; handed to whoever claims the item. */
  readonly input: string;
  readonly resumeAt?: number;
}

/** One step of the turn machine: all of it is written, or nothing. */
export interface CommitRequest {
  readonly session: SessionId;
  readonly epoch: number;
  /** The cursor this step started from. */
  readonly expectedCursor: EventId;
  readonly cursor: EventId;
  readonly state: string;
  readonly generation: number;
  readonly settings?: Settings;
  readonly events?: readonly NewEvent[];
  /** Appends to the history, replaces the message at an index counted from the start, or empties it. */
  readonly history?: readonly (
    | { readonly clear: true }
    | { readonly push: HistoryMessage }
    | { readonly set: number; readonly message: HistoryMessage }
  )[];
  readonly work?: {
    readonly create?: readonly WorkCreate[];
    /** Marks the reply's item and those of all its clauses, also ones created in the same step. */
    readonly cancel?: readonly Reply[];
    /** Takes the item from its holder and opens it for another try. */
    readonly raiseTry?: readonly { readonly ref: WorkRef; readonly try: number; readonly input?: string }[];
    /** Removes the items of all turns below this one. */
    readonly dropTurnsBefore?: number;
  };
  readonly outbox?: Readonly<Record<string, string>>;
  readonly outboxDone?: readonly string[];
  /** Passes over an utterance given up; goes with `hearing`. */
  readonly audioCursor?: number;
  readonly hearing?: HearingState;
  /** Oldest event to keep; the log is capped at 10 000 besides. */
  readonly trimEvents?: EventId;
  /** Oldest entry of `out` to keep. */
  readonly trimOut?: string;
  /** The events are still published, then every key of the session is deleted. */
  readonly close?: boolean;
}

/** Events, and the cursor they settle, by whoever holds the lease, the claim or the session itself. */
export type AppendRequest = {
  readonly session: SessionId;
  readonly events: readonly NewEvent[];
  /**
   * A random token that makes it safe to send the same append again when its answer was lost: it is then answered as the
   * first time. Only the newest append of a holder is remembered.
   */
  readonly once?: string;
} & (
  | {
      readonly holder: { readonly kind: 'listener'; readonly fence: string };
      readonly audioCursor?: number;
      readonly hearing?: HearingState;
    }
  | {
      readonly holder: { readonly kind: 'work'; readonly ref: WorkRef; readonly fence: string };
      readonly resumeAt?: number;
      readonly done?: boolean;
      /** Speech of the claimed clause, added to `out`. */
      readonly pcm?: {
        readonly clause: number;
        readonly startSample: number;
        readonly bytes: Uint8Array;
        readonly last: boolean;
      };
    }
  | { readonly holder: { readonly kind: 'owner'; readonly epoch: number } }
);

/** What events were given as ids, in order. */
export interface Appended {
  readonly ok: true;
  readonly ids: readonly EventId[];
}

/** A lease to hear a session. */
export interface Lease {
  readonly ok: true;
  readonly fence: string;
  readonly audioCursor: number;
  readonly hearing: HearingState;
  /** Id of the gateway that owns the session. */
  readonly owner: string;
  readonly epoch: number;
  readonly settings: Settings;
  /** Id of the `lease.moved` that this wrote: events from here on concern the new listener. */
  readonly eventCursorAtAcquire: EventId;
}

/** The right to do one reply or one clause. */
export interface Claim {
  readonly ok: true;
  readonly fence: string;
  /** How far earlier tries have got. */
  readonly resumeAt: number;
  readonly input: string;
  /** The newest messages, as many as were asked for, the oldest first. */
  readonly history: readonly HistoryMessage[];
  /** Id of the gateway that owns the session. */
  readonly owner: string;
  readonly epoch: number;
  readonly settings: Settings;
}

/** The five scripts: the only way in which a session's keys are written, its audio apart. */
export interface SessionScripts {
  create(request: {
    session: SessionId;
    tokenHash: string;
    keyHash: string;
    settings: Settings;
    state: string;
  }): Promise<SessionSnapshot | Refused<'EXISTS'>>;
  /** With `tokenHash: null` a gateway takes the session over by itself (sweeper, reload after `CURSOR`). */
  resume(request: {
    session: SessionId;
    tokenHash: string | null;
    keyHash: string | null;
  }): Promise<SessionSnapshot | Refused<'NOSESSION' | 'TOKEN'>>;
  commit(request: CommitRequest): Promise<Appended | Refused<'NOTOWNER' | 'CURSOR' | 'CLOSED'>>;
  acquire(request: { session: SessionId; expect: string }): Promise<Lease | Refused<'STALE' | 'CLOSED'>>;
  append(request: AppendRequest): Promise<Appended | Refused<'FENCED' | 'CANCELLED' | 'CLOSED' | 'NOTOWNER'>>;
  claim(request: {
    session: SessionId;
    ref: WorkRef;
    try: number;
    /** How many of the newest messages of the history are wanted with it (default none). */
    messages?: number;
  }): Promise<Claim | Refused<'STALE' | 'DONE' | 'TAKEN' | 'CLOSED'>>;
}

/** An argument that leaves a field as it is. */
const KEEP = '';
/** Control messages and events are built in two halves, around the epoch that only the script knows. */
const EPOCH_PLACE = '"epoch":0';

/** The five scripts over one connection, in the name of one process. */
export function createSessionScripts(
  connection: RedisConnection,
  process: ProcessRef,
  metrics: BusMetrics,
): SessionScripts {
  const processJson = JSON.stringify({ id: process.id, host: process.host, pid: process.pid });

  async function call<R extends string>(
    name: ScriptName,
    refusals: readonly R[],
    keys: readonly string[],
    args: readonly ScriptArgument[],
  ): Promise<{ readonly values: readonly unknown[] } | { readonly refused: Refused<R> }> {
    const reply = await runScript(connection, name, keys, args);
    if (typeof reply !== 'string') return { values: reply };
    const refusal = refusals.find((known) => known === reply);
    if (refusal === undefined) throw new VoiceError('internal', `script ${name} answered ${reply}`);
    metrics.refusals.inc({ script: name, code: refusal });
    return { refused: { ok: false, refusal } };
  }

  async function own<R extends string>(
    session: SessionId,
    refusals: readonly R[],
    mode: 'create' | 'token' | 'takeover',
    tokenHash: string,
    keyHash: string,
    initial: readonly string[] = [],
  ): Promise<SessionSnapshot | Refused<R>> {
    const keys = sessionKeys(session);
    const moved = splitAtEpoch(encodeEvent({ type: 'session.moved', owner: process.id, epoch: 0 }));
    const control = splitAtEpoch(JSON.stringify({ session, owner: process.id, epoch: 0 }));
    const answer = await call(
      'own',
      refusals,
      [keys.hash, keys.in, keys.events, keys.outbox],
      [
        mode,
        process.id,
        processJson,
        tokenHash,
        keyHash,
        ...moved,
        keys.channel,
        ...control,
        CONTROL_CHANNEL,
        ...initial,
      ],
    );
    return 'refused' in answer ? answer.refused : readSnapshot(answer.values);
  }

  return {
    create: ({ session, tokenHash, keyHash, settings, state }) =>
      own(session, ['EXISTS'], 'create', tokenHash, keyHash, [
        JSON.stringify(settings),
        state,
        JSON.stringify(INITIAL_HEARING),
      ]),

    resume: ({ session, tokenHash, keyHash }) =>
      own(session, ['NOSESSION', 'TOKEN'], tokenHash === null ? 'takeover' : 'token', tokenHash ?? '', keyHash ?? ''),

    async commit(request) {
      const keys = sessionKeys(request.session);
      const answer = await call(
        'commit',
        ['NOTOWNER', 'CURSOR', 'CLOSED'],
        [keys.hash, keys.in, keys.events, keys.out, keys.work, keys.outbox, keys.history],
        [
          request.epoch,
          process.id,
          eventId(request.expectedCursor),
          eventId(request.cursor),
          request.state,
          count(request.generation),
          requiredHistory(request),
          keys.channel,
          ...operations(request),
        ],
      );
      return 'refused' in answer ? answer.refused : { ok: true, ids: answer.values.map(text) };
    },

    async acquire({ session, expect }) {
      const keys = sessionKeys(session);
      const fence = newFence();
      const answer = await call(
        'acquire',
        ['STALE', 'CLOSED'],
        [keys.hash, keys.events],
        [expect, fence, processJson, encodeEvent({ type: 'lease.moved', fence, worker: process.id }), keys.channel],
      );
      if ('refused' in answer) return answer.refused;
      const [id, audioCursor, hearing, owner, epoch, settings] = answer.values.map(text);
      return {
        ok: true,
        fence,
        audioCursor: Number(audioCursor),
        hearing: HearingStateSchema.parse(parseJson(hearing)),
        owner: owner ?? '',
        epoch: Number(epoch),
        settings: SettingsSchema.parse(parseJson(settings)),
        eventCursorAtAcquire: id ?? '',
      };
    },

    async append(request) {
      const keys = sessionKeys(request.session);
      const answer = await call(
        'append',
        ['FENCED', 'CANCELLED', 'CLOSED', 'NOTOWNER'],
        [keys.hash, keys.in, keys.events, keys.out, keys.work],
        [...holderArguments(request, process.id), keys.channel, ...request.events.map(encodeEvent)],
      );
      if ('refused' in answer) return answer.refused;
      const [dropped, ...ids] = answer.values;
      if (Number(dropped) > 0) metrics.outputDropped.inc(Number(dropped));
      return { ok: true, ids: ids.map(text) };
    },

    async claim({ session, ref, try: attempt, messages = 0 }) {
      const keys = sessionKeys(session);
      const fence = newFence();
      const answer = await call(
        'claim',
        ['STALE', 'DONE', 'TAKEN', 'CLOSED'],
        [keys.hash, keys.work, keys.history],
        [workKey(ref), replyKey(ref), count(attempt), fence, processJson, count(messages)],
      );
      if ('refused' in answer) return answer.refused;
      const [resumeAt, input, owner, epoch, settings, ...history] = answer.values.map(text);
      return {
        ok: true,
        fence,
        history: decodeHistory(history),
        resumeAt: Number(resumeAt),
        input: input ?? '',
        owner: owner ?? '',
        epoch: Number(epoch),
        settings: SettingsSchema.parse(parseJson(settings)),
      };
    },
  };
}

/** 128 random bits: fences are compared for equality only, since a rolled back Redis may repeat a counter. */
const newFence = (): string => randomBytes(16).toString('base64url');

function splitAtEpoch(json: string): [before: string, after: string] {
  const at = json.indexOf(EPOCH_PLACE) + EPOCH_PLACE.length - 1;
  return [json.slice(0, at), json.slice(at + 1)];
}

function readSnapshot(values: readonly unknown[]): SessionSnapshot {
  const outboxFields = values[13];
  if (!Array.isArray(outboxFields)) throw new VoiceError('internal', 'own answered without an outbox');
  const [
    epoch,
    movedEvent,
    state,
    cursor,
    settings,
    generation,
    listener,
    fence,
    audioCursor,
    hearing,
    created,
    owner,
    last,
  ] = values.slice(0, 13).map(text);
  const outbox = new Map<string, string>();
  for (let i = 0; i + 1 < outboxFields.length; i += 2) outbox.set(text(outboxFields[i]), text(outboxFields[i + 1]));
  return {
    ok: true,
    epoch: Number(epoch),
    movedEvent: movedEvent ?? '',
    state: state ?? '',
    eventCursor: cursor ?? '',
    settings: SettingsSchema.parse(parseJson(settings)),
    generation: Number(generation),
    ...(listener && fence ? { listener: { ...ProcessRefSchema.parse(parseJson(listener)), fence } } : {}),
    audioCursor: Number(audioCursor),
    hearing: HearingStateSchema.parse(parseJson(hearing)),
    inputSample: Number(last),
    outbox,
    created: Number(created),
    ...(owner ? { previousOwner: ProcessRefSchema.parse(parseJson(owner)) } : {}),
  };
}

/** How long the history must be for the replacements of a step to have something to replace. */
function requiredHistory(request: CommitRequest): number {
  let pushed = 0;
  let required = 0;
  let isCleared = false;
  for (const change of request.history ?? []) {
    if ('clear' in change) {
      isCleared = true;
      pushed = 0;
    } else if ('push' in change) pushed += 1;
    else if (isCleared && count(change.set) >= pushed)
      throw new VoiceError('internal', 'the message to be replaced was removed');
    else required = Math.max(required, count(change.set) + 1 - pushed);
  }
  return required;
}

/** The operations of a commit as the script takes them. */
function operations(request: CommitRequest): ScriptArgument[] {
  const args: ScriptArgument[] = [];
  for (const event of request.events ?? []) args.push('event', encodeEvent(event));
  if (request.settings) args.push('settings', JSON.stringify(request.settings));
  for (const change of request.history ?? []) {
    if ('clear' in change) args.push('clear');
    else if ('push' in change) args.push('push', JSON.stringify(change.push));
    else args.push('set', change.set, JSON.stringify(change.message));
  }
  const { create = [], cancel = [], raiseTry = [], dropTurnsBefore } = request.work ?? {};
  for (const item of create) args.push('create', workKey(item.ref), item.input, count(item.resumeAt ?? 0));
  for (const reply of cancel) args.push('cancel', replyKey(reply));
  for (const item of raiseTry) args.push('raise', workKey(item.ref), count(item.try), item.input ?? KEEP);
  if (dropTurnsBefore !== undefined) args.push('drop', count(dropTurnsBefore));
  for (const [id, command] of Object.entries(request.outbox ?? {})) args.push('outbox', id, command);
  for (const id of request.outboxDone ?? []) args.push('outboxDone', id);
  if (request.audioCursor !== undefined) args.push('audioCursor', count(request.audioCursor));
  if (request.hearing) args.push('hearing', JSON.stringify(request.hearing));
  if (request.trimEvents !== undefined) args.push('trimEvents', eventId(request.trimEvents));
  if (request.trimOut !== undefined) args.push('trimOut', eventId(request.trimOut));
  if (request.close) {
    args.push('close', CONTROL_CHANNEL, JSON.stringify({ session: request.session, closed: true }));
  }
  return args;
}

/** The first twelve arguments of `append`. */
function holderArguments(request: AppendRequest, owner: string): ScriptArgument[] {
  const once = request.once ?? '';
  if (/\s/.test(once)) throw new VoiceError('internal', 'the token of an append must not contain a space');
  const noSpeech = ['', '', '', ''];
  if (isBy(request, 'listener')) {
    const cursor = request.audioCursor === undefined ? KEEP : count(request.audioCursor);
    const hearing = request.hearing ? JSON.stringify(request.hearing) : KEEP;
    return ['listener', request.holder.fence, '', '', once, cursor, hearing, '', ...noSpeech];
  }
  if (isBy(request, 'work')) {
    const { ref, fence } = request.holder;
    const { pcm } = request;
    const cursor = request.resumeAt === undefined ? KEEP : count(request.resumeAt);
    const speech = pcm ? [count(pcm.clause), count(pcm.startSample), pcm.last ? 1 : 0, asBuffer(pcm.bytes)] : noSpeech;
    return ['work', fence, workKey(ref), replyKey(ref), once, cursor, KEEP, request.done ? 1 : 0, ...speech];
  }
  return ['owner', request.holder.epoch, owner, '', once, KEEP, KEEP, 0, ...noSpeech];
}

type Kind = AppendRequest['holder']['kind'];
const isBy = <K extends Kind>(
  request: AppendRequest,
  kind: K,
): request is Extract<AppendRequest, { readonly holder: { readonly kind: K } }> => request.holder.kind === kind;

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const text = (value: unknown): string => (typeof value === 'string' ? value : String(value));

const parseJson = (json: string | undefined): unknown => JSON.parse(json ?? 'null');

/** A number that a script can take: checked before anything is sent, so that no script stops half way. */
function count(value: number): number {
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new VoiceError('internal', `not a count: ${value}`);
}

function eventId(id: string): string {
  if (/^\d{1,15}-\d{1,15}$/.test(id)) return id;
  throw new VoiceError('internal', 'not the id of an entry');
}
