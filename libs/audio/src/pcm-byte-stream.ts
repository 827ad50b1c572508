import { AudioError, AudioErrorCode } from './audio-error.ts';
import { bytesToInt16 } from './pcm.ts';

/** PCM16 from a byte stream whose chunks may end in the middle of a sample, as HTTP bodies do. Holds at most one byte. */
export class PcmByteStream {
  #half: number | undefined;

  /** The whole samples that are there now; a begun one waits for the next chunk. May be a view of `bytes`. */
  push(bytes: Uint8Array): Int16Array {
    let pending = bytes;
    if (this.#half !== undefined && bytes.byteLength > 0) {
      pending = new Uint8Array(bytes.byteLength + 1);
      pending[0] = this.#half;
      pending.set(bytes, 1);
      this.#half = undefined;
    }
    const wholeBytes = pending.byteLength - (pending.byteLength % 2);
    if (wholeBytes < pending.byteLength) this.#half = pending[wholeBytes];
    return bytesToInt16(pending.subarray(0, wholeBytes));
  }

  /** Call when the stream has ended. Throws `bad_pcm` when it ended inside a sample. */
  end(): void {
    if (this.#half === undefined) return;
    this.#half = undefined;
    throw new AudioError(AudioErrorCode.BadPcm, 'the stream ended in the middle of a 16-bit sample');
  }
}
