import { type SessionId, sessionKeys } from '@parley/protocol';
import { type AudioReader, type AudioReaderContext, BlockingAudioReader, type FramesHandler } from './audio-reader.ts';

/** User audio of a session: 16 kHz mono PCM16, numbered by sample. */
export interface AudioIn {
  /**
   * Adds audio that ends before `endSample`, and drops what is more than `capSamples` older. `duplicate` means that
   * Redis has that sample already, `closed` that the session is gone.
   */
  add(
    session: SessionId,
    endSample: number,
    pcm: Uint8Array,
    capSamples: number,
  ): Promise<'added' | 'duplicate' | 'closed'>;
  /** One blocking reader, on a connection of its own, for all sessions that a worker hears. */
  reader(workerId: string, onFrames: FramesHandler): AudioReader;
}

export function createAudioIn(context: AudioReaderContext): AudioIn {
  const { commands, metrics } = context;
  return {
    async add(session, endSample, pcm, capSamples) {
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

    reader: (workerId, onFrames) => new BlockingAudioReader(context, workerId, onFrames).start(),
  };
}
