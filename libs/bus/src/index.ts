export type { AudioIn } from './audio-in.ts';
export type { AudioOut, OutEntry } from './audio-out.ts';
export type { AudioFrame, AudioReader, FramesHandler } from './audio-reader.ts';
export { type Bus, type BusOptions, connectBus } from './bus.ts';
export type { ControlLane } from './control.ts';
export type { Announcement, Presence } from './presence.ts';
export type { PulseLane } from './pulse.ts';
export type { SessionInspection, SessionRegistry, WorkInspection } from './registry.ts';
export type { LogSubscription, SessionLog } from './session-log.ts';
export type {
  Appended,
  AppendRequest,
  Claim,
  CommitRequest,
  Lease,
  Refused,
  SessionScripts,
  SessionSnapshot,
  WorkCreate,
} from './sessions.ts';
export { redisUrlSetting } from './settings.ts';
export type { WorkQueue, WorkQueues, WorkTaker } from './work-queue.ts';
