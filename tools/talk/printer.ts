import type { Resumed } from '@parley/client';
import type { DownlinkAudio, ServerEvent, VoiceError } from '@parley/protocol';
import type { Turn, TurnSummary } from './turn-book.ts';

/** What was said to the loudspeaker, beside audio. */
type VolumeChange =
  | { readonly type: 'audio.duck' }
  | { readonly type: 'audio.restore' }
  | { readonly type: 'audio.stop'; readonly generation: number };

/** Tells what happens, for people or for programs. Times are milliseconds since the first sample was sent. */
export interface Printer {
  session(id: string, url: string): void;
  /** A turn is about to be spoken or typed. */
  asking(what: string): void;
  event(event: ServerEvent, atMs: number): void;
  audio(frame: DownlinkAudio, ms: number, atMs: number): void;
  volume(change: VolumeChange, atMs: number): void;
  error(error: VoiceError, atMs: number): void;
  resumed(resumed: Resumed, atMs: number): void;
  /** A turn is over. */
  turn(turn: Turn): void;
  summary(resumes: number, turns: readonly TurnSummary[]): void;
}
