import type { SessionId } from './ids.ts';

/** Keys of one session; all share the hash tag `{id}`, so that they live in one slot. */
export const sessionKeys = (id: SessionId) =>
  ({
    hash: `s:{${id}}`,
    in: `s:{${id}}:in`,
    events: `s:{${id}}:events`,
    out: `s:{${id}}:out`,
    work: `s:{${id}}:work`,
    outbox: `s:{${id}}:outbox`,
    history: `s:{${id}}:history`,
    /** Pub/sub channel of the session's events. */
    channel: `s:{${id}}`,
  }) as const;

/** Session deadlines (Redis TIME, ms), refreshed by owners; the sweeper reads what is past. */
export const SESSIONS_KEY = 'sessions';
/** The sweeper's short lock. */
export const SWEEP_LOCK_KEY = 'sweep';
/** Cancels and changes of owner, from owners to workers. */
export const CONTROL_CHANNEL = 'control';

/** Pulses of workers to one gateway. */
export const pulseChannel = (gatewayId: string): string => `pulse:${gatewayId}`;

export type Stage = 'stt' | 'llm' | 'tts';
export const STAGES: readonly Stage[] = ['stt', 'llm', 'tts'];

/** Ids of the workers of a stage that have ever announced themselves; stale ones are removed by readers. */
export const workersKey = (stage: Stage | 'gateway'): string => `w:${stage}`;
/** Heartbeat of one worker, expiring. */
export const heartbeatKey = (stage: Stage | 'gateway', workerId: string): string => `w:${stage}:${workerId}`;
/** Wakes a blocked read of one stt-worker. */
export const wakeKey = (workerId: string): string => `w:stt:${workerId}:wake`;

/** Names of the work queues. */
export type QueueName = 'listen' | 'reply' | 'speak';
export const QUEUE_NAMES: readonly QueueName[] = ['listen', 'reply', 'speak'];

/** Keys of a work queue that is ordered by deadline; they share a hash tag. */
export const queueKeys = (name: QueueName) =>
  ({
    /** Sorted set of waiting jobs, by deadline. */
    jobs: `q:{${name}}`,
    /** The job of an id, as long as it waits. */
    job: (id: string): string => `q:{${name}}:${id}`,
  }) as const;
