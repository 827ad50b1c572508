import { AudioError, AudioErrorCode } from './audio-error.ts';

/** Int16 values per unit of float amplitude: -1 is exactly -32768, and +1 clips to 32767. */
export const INT16_SCALE = 32_768;

/** One float sample (nominally -1 to 1) as an int16: rounded, clipped at full scale; NaN is silence. */
export function toInt16Sample(value: number): number {
  const scaled = Math.round(value * INT16_SCALE);
  if (scaled >= 32_767) return 32_767;
  if (scaled <= -32_768) return -32_768;
  return scaled || 0;
}

/** PCM16 as floats from -1 to just under 1. */
export function int16ToFloat32(samples: Int16Array): Float32Array {
  const floats = new Float32Array(samples.length);
  for (let i = 0; i < samples.length; i++) floats[i] = (samples[i] ?? 0) / INT16_SCALE;
  return floats;
}

/** Floats as PCM16, clipped at full scale: an overdriven signal distorts, it never wraps round. */
export function float32ToInt16(samples: ArrayLike<number>): Int16Array {
  const ints = new Int16Array(samples.length);
  for (let i = 0; i < samples.length; i++) ints[i] = toInt16Sample(samples[i] ?? 0);
  return ints;
}

/**
 * Little-endian bytes as samples. A view of the same memory where the bytes lie on an even offset, a copy where they do
 * not; whoever keeps the result while the bytes are reused must copy. Throws `bad_pcm` for half a sample.
 */
export function bytesToInt16(bytes: Uint8Array): Int16Array {
  if (bytes.byteLength % 2 !== 0) {
    throw new AudioError(AudioErrorCode.BadPcm, `${bytes.byteLength} bytes are not a whole number of 16-bit samples`);
  }
  const aligned = bytes.byteOffset % 2 === 0 ? bytes : new Uint8Array(bytes);
  return new Int16Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 2);
}

/** Samples as little-endian bytes: a view of the same memory, never a copy. */
export function int16ToBytes(samples: Int16Array): Uint8Array {
  return new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
}

/** Several runs of samples joined into a new one. */
export function concatInt16(chunks: readonly Int16Array[]): Int16Array {
  let length = 0;
  for (const chunk of chunks) length += chunk.length;
  const joined = new Int16Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    joined.set(chunk, offset);
    offset += chunk.length;
  }
  return joined;
}
