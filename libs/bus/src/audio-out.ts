import { type SessionId, sessionKeys } from '@parley/protocol';
import type { RedisConnection } from './redis-connection.ts';

/** One entry of reply audio. */
export interface OutEntry {
  /** Id of the entry in the stream. */
  readonly entry: string;
  readonly turn: number;
  readonly attempt: number;
  readonly clause: number;
  /** Counted from the clause's first sample, at the session's output rate. */
  readonly startSample: number;
  /** The clause ends with this entry. */
  readonly last: boolean;
  /** PCM16 bytes at any offset of their memory. */
  readonly pcm: Uint8Array;
}

/** Reply audio of a session, added by `append`. */
export interface AudioOut {
  /** Entries after `afterEntry` (`0` for all), at most `count` (default 64). */
  read(session: SessionId, afterEntry: string, count?: number): Promise<OutEntry[]>;
}

const READ_COUNT = 64;

export function createAudioOut(commands: RedisConnection): AudioOut {
  return {
    async read(session, afterEntry, count = READ_COUNT) {
      const rows = await commands.run((redis) =>
        redis.xrangeBuffer(sessionKeys(session).out, `(${afterEntry}`, '+', 'COUNT', count),
      );
      return rows.map(([id, fields]) => readEntry(id.toString(), fields));
    },
  };
}

function readEntry(entry: string, fields: readonly Buffer[]): OutEntry {
  let reply = '';
  let clause = 0;
  let startSample = 0;
  let last = false;
  let pcm: Uint8Array = new Uint8Array(0);
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const value = fields[i + 1];
    if (value === undefined) continue;
    switch (fields[i]?.toString()) {
      case 'r':
        reply = value.toString();
        break;
      case 'c':
        clause = Number(value);
        break;
      case 's':
        startSample = Number(value);
        break;
      case 'l':
        last = value.toString() === '1';
        break;
      case 'pcm':
        pcm = value;
        break;
      default: // of a newer writer
    }
  }
  const [turn = 0, attempt = 0] = reply.split('.').map(Number);
  return { entry, turn, attempt, clause, startSample, last, pcm };
}
