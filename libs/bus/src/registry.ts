import {
  type EventId,
  type HearingState,
  HearingStateSchema,
  type HistoryMessage,
  type ProcessRef,
  ProcessRefSchema,
  SESSIONS_KEY,
  type SessionId,
  SWEEP_LOCK_KEY,
  sessionKeys,
} from '@parley/protocol';
import { decodeHistory } from './history.ts';
import { decodeJson } from './lane.ts';
import type { RedisConnection } from './redis-connection.ts';

/** All sessions of the cell by deadline, and a look into one. */
export interface SessionRegistry {
  /** Moves the deadlines (Redis TIME, ms) of many sessions at once. */
  refresh(entries: readonly { readonly session: SessionId; readonly deadlineMs: number }[]): Promise<void>;
  remove(session: SessionId): Promise<void>;
  /** Sessions whose deadline is before `nowMs`, the oldest first. */
  expired(nowMs: number, limit: number): Promise<SessionId[]>;
  count(): Promise<number>;
  /** The sweeper's lock: true when `holder` has it for the next `ttlMs`. */
  lock(holder: string, ttlMs: number): Promise<boolean>;
  /** The newest `lastN` messages of a session (default all), the oldest first. */
  history(session: SessionId, lastN?: number): Promise<HistoryMessage[]>;
  inspect(session: SessionId): Promise<SessionInspection | undefined>;
}

/** What an operator sees of a session. */
export interface SessionInspection {
  readonly epoch: number;
  readonly owner: ProcessRef;
  readonly listener?: ProcessRef & { readonly fence: string };
  readonly eventCursor: EventId;
  readonly audioCursor: number;
  /** End sample of the newest entry ever added to `in`, 0 when none was. */
  readonly inputSample: number;
  readonly generation: number;
  readonly hearing: HearingState;
  readonly work: readonly WorkInspection[];
}

export interface WorkInspection {
  /** As made by `workKey`. */
  readonly key: string;
  readonly try: number;
  readonly fence?: string;
  readonly holder?: ProcessRef;
  readonly resumeAt: number;
  readonly done: boolean;
  readonly cancelled: boolean;
}

/** Members in one command, so that none keeps Redis busy for long. */
const MEMBERS_PER_COMMAND = 1_000;

export function createRegistry(commands: RedisConnection): SessionRegistry {
  return {
    async refresh(entries) {
      for (let from = 0; from < entries.length; from += MEMBERS_PER_COMMAND) {
        const members = entries
          .slice(from, from + MEMBERS_PER_COMMAND)
          .flatMap(({ session, deadlineMs }) => [Math.ceil(deadlineMs), session]);
        await commands.run((redis) => redis.zadd(SESSIONS_KEY, ...members));
      }
    },

    async remove(session) {
      await commands.run((redis) => redis.zrem(SESSIONS_KEY, session));
    },

    expired: (nowMs, limit) =>
      commands.run((redis) => redis.zrangebyscore(SESSIONS_KEY, '-inf', `(${Math.floor(nowMs)}`, 'LIMIT', 0, limit)),

    count: () => commands.run((redis) => redis.zcard(SESSIONS_KEY)),

    lock: (holder, ttlMs) =>
      commands.run(async (redis) => {
        if ((await redis.set(SWEEP_LOCK_KEY, holder, 'PX', ttlMs, 'NX')) === 'OK') return true;
        if ((await redis.get(SWEEP_LOCK_KEY)) !== holder) return false;
        // Should it have changed hands just now, two sweep for a moment: sessions are taken by epoch, so nothing breaks.
        return (await redis.pexpire(SWEEP_LOCK_KEY, ttlMs)) === 1;
      }),

    async history(session, lastN) {
      if (lastN === 0) return [];
      const from = lastN === undefined ? 0 : -lastN;
      const rows = await commands.run((redis) => redis.lrange(sessionKeys(session).history, from, -1));
      return decodeHistory(rows);
    },

    async inspect(session) {
      const keys = sessionKeys(session);
      const [fields, work, input] = await commands.run((redis) =>
        Promise.all([redis.hgetall(keys.hash), redis.hgetall(keys.work), lastInputSample(redis, keys.in)]),
      );
      const owner = decodeJson(ProcessRefSchema, fields.ownerRef ?? '');
      const hearing = decodeJson(HearingStateSchema, fields.hearing ?? '');
      if (!owner || !hearing) return undefined;
      const listener = decodeJson(ProcessRefSchema, fields.listener ?? '');
      return {
        epoch: Number(fields.epoch),
        owner,
        ...(listener && fields.fence ? { listener: { ...listener, fence: fields.fence } } : {}),
        eventCursor: fields.eventCursor ?? '0-0',
        audioCursor: Number(fields.audioCursor),
        inputSample: input,
        generation: Number(fields.generation),
        hearing,
        work: readWork(work),
      };
    },
  };
}

async function lastInputSample(redis: RedisConnection['redis'], key: string): Promise<number> {
  const info = await redis.xinfo('STREAM', key).catch(() => []);
  if (!Array.isArray(info)) return 0;
  return Number.parseInt(String(info[info.indexOf('last-generated-id') + 1] ?? '0'), 10);
}

/** Items from the fields `<key>:<field>` of a session's work hash. */
function readWork(fields: Readonly<Record<string, string>>): WorkInspection[] {
  return Object.keys(fields)
    .filter((field) => field.endsWith(':try'))
    .map((field) => {
      const key = field.slice(0, -':try'.length);
      const reply = key.split('.').slice(1, 3).join('.');
      const fence = fields[`${key}:fence`];
      const holder = decodeJson(ProcessRefSchema, fields[`${key}:holder`] ?? '');
      return {
        key,
        try: Number(fields[field]),
        ...(fence ? { fence } : {}),
        ...(holder ? { holder } : {}),
        resumeAt: Number(fields[`${key}:resumeAt`]),
        done: fields[`${key}:done`] === '1',
        cancelled: fields[`cancelled.${reply}`] === '1',
      };
    });
}
