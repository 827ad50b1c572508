export { type Clock, systemClock } from './clock.ts';
export { type ConnectOptions, connect } from './connect.ts';
export { type PlayedReply, ReplyPlayer, type ReplyPlayerOptions } from './reply-player.ts';
export type {
  Playback,
  Resumed,
  SessionState,
  SessionStats,
  VoiceSession,
  VoiceSessionEvents,
} from './voice-session.ts';
