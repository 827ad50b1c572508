import * as alawmulaw from 'alawmulaw';
import { commonJsExports } from './commonjs-exports.ts';

const { alaw, mulaw } = commonJsExports(alawmulaw);

/** PCM16 as G.711 µ-law, one byte a sample. */
export function encodeMulaw(samples: Int16Array): Uint8Array {
  return mulaw.encode(samples);
}

/** G.711 µ-law as PCM16. */
export function decodeMulaw(bytes: Uint8Array): Int16Array {
  return mulaw.decode(bytes);
}

/** PCM16 as G.711 A-law, one byte a sample. */
export function encodeAlaw(samples: Int16Array): Uint8Array {
  return alaw.encode(samples);
}

/** G.711 A-law as PCM16. */
export function decodeAlaw(bytes: Uint8Array): Int16Array {
  return alaw.decode(bytes);
}
