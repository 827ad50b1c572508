import { bytesToInt16, concatInt16 } from '@parley/audio';
import type { AudioOut } from '@parley/bus';
import type { SessionId, WorkRef } from '@parley/protocol';

/** Shorter than this says nothing about what follows. */
const MIN_TAIL_SAMPLES = 100;
const PAGE_ENTRIES = 64;

/**
 * The last samples of a clause that were published before a given one, at most so many; undefined where they have been
 * trimmed already.
 */
export async function readPublishedTail(
  audioOut: AudioOut,
  session: SessionId,
  ref: Extract<WorkRef, { readonly stage: 'speak' }>,
  { endSample, maxSamples }: { readonly endSample: number; readonly maxSamples: number },
): Promise<Int16Array | undefined> {
  let chunks: Int16Array[] = [];
  let nextSample = -1;
  for (let after = '0'; ; ) {
    const entries = await audioOut.read(session, after, PAGE_ENTRIES);
    for (const { turn, attempt, clause, startSample, pcm } of entries) {
      if (turn !== ref.turn || attempt !== ref.attempt || clause !== ref.clause || pcm.byteLength === 0) continue;
      const samples = bytesToInt16(pcm);
      if (startSample !== nextSample) chunks = [];
      nextSample = startSample + samples.length;
      if (nextSample > endSample - maxSamples && nextSample <= endSample) chunks.push(samples);
    }
    const last = entries.at(-1);
    if (last === undefined || entries.length < PAGE_ENTRIES) break;
    after = last.entry;
  }
  const tail = concatInt16(chunks).slice(-maxSamples);
  const isKnown = nextSample === endSample && tail.length >= Math.min(MIN_TAIL_SAMPLES, endSample);
  return isKnown ? tail : undefined;
}
