import { type SessionId, sessionKeys } from '@parley/protocol';
import type { Clock } from '@parley/runtime';
import { type AudioReader, type AudioReaderContext, BlockingAudioReader, type FramesHandler } from './audio-reader.ts';

/** User audio of a session: 16 kHz mono PCM16, numbered by sample. */
export interface AudioIn {
  /**
   * Adds audio that ends before `endSample`, and drops what is more than `capSamples` older. What `mayWait`
   * is held back some milliseconds, and goes with the audio of other sessions. `duplicate` means that Redis has that
   * sample already, `closed` that the session is gone.
   */
  add(
    session: SessionId,
    endSample: number,
    pcm: Uint8Array,
    options: { readonly capSamples: number; readonly mayWait?: boolean },
  ): Promise<'added' | 'duplicate' | 'closed'>;
  /** What is held back goes now. */
  hasten(): void;
  /** One blocking reader, on a connection of its own, for all sessions that a worker hears. */
  reader(workerId: string, onFrames: FramesHandler): AudioReader;
}

/** How long audio that nobody waits for is gathered. Writes of the same moment share the system call, which costs the most. */
const GATHER_MS = 4;

/** Lets those who wait go on at the same moment. */
class Departure {
  readonly #clock: Clock;
  #waiting: (() => void)[] = [];
  #cancel: () => void = () => undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  wait(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#waiting.push(resolve) === 1) this.#cancel = this.#clock.setTimeout(() => this.leave(), GATHER_MS);
    });
  }

  leave(): void {
    this.#cancel();
    for (const go of this.#waiting.splice(0)) go();
  }
}

export function createAudioIn(context: AudioReaderContext): AudioIn {
  const { commands, metrics, clock } = context;
  const departure = new Departure(clock);
  return {
    async add(session, endSample, pcm, { capSamples, mayWait = false }) {
      if (mayWait) await departure.wait();
      const oldest = Math.max(0, endSample - capSamples);
      const bytes = Buffer.from(pcm.buffer, pcm.byteOffset, pcm.byteLength);
      const key = sessionKeys(session).in;
      const outcome = await commands.run((redis) =>
        redis
          .xadd(key, 'NOMKSTREAM', 'MINID', '=', `${oldest}-0`, `${endSample}-0`, 'p', bytes)
          .catch((error: unknown) => {
            if (error instanceof Error && error.message.includes('equal or smaller')) return 'duplicate' as const;
            throw error;
          }),
      );
      if (outcome === null) return 'closed';
      if (outcome !== 'duplicate') return 'added';
      metrics.inputDuplicates.inc({ side: 'write' });
      return 'duplicate';
    },

    hasten: () => departure.leave(),

    reader: (workerId, onFrames) => new BlockingAudioReader(context, workerId, onFrames).start(),
  };
}
