/** PCM that can be seen as an `Int16Array`: bytes at an odd place of a reply are copied. */
export const aligned = (pcm: Buffer): Uint8Array => (pcm.byteOffset % 2 === 0 ? pcm : new Uint8Array(pcm));
