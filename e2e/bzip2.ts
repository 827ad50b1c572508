/**
 * Packs bytes as bzip2 does, of which npm has a decoder only. Small and slow on purpose: blocks of 100 kB, and nine bits for
 * every symbol instead of Huffman codes of different lengths, so that it packs little.
 */
export function bzip2(data: Uint8Array): Buffer {
  const out = new BitWriter();
  out.bytes([0x42, 0x5a, 0x68, 0x31]);
  let combined = 0;
  for (let from = 0; from < data.length; from += SOURCE_BYTES) {
    const source = data.subarray(from, from + SOURCE_BYTES);
    const crc = crcOf(source);
    combined = (((combined << 1) | (combined >>> 31)) ^ crc) >>> 0;
    writeBlock(out, shortenRuns(source), crc);
  }
  out.bytes([0x17, 0x72, 0x45, 0x38, 0x50, 0x90]);
  out.bits(32, combined);
  return out.end();
}

/** Shortening runs may lengthen a block by a quarter; it must stay below 100 kB less 19. */
const SOURCE_BYTES = 79_000;
const CODE_BITS = 9;
const SYMBOLS_PER_SELECTOR = 50;

function writeBlock(out: BitWriter, block: Uint8Array, crc: number): void {
  const { last, origin } = sortRotations(block);
  const used = [...new Set(last)].toSorted((a, b) => a - b);
  const symbols = moveToFront(last, used);
  out.bytes([0x31, 0x41, 0x59, 0x26, 0x53, 0x59]);
  out.bits(32, crc);
  out.bits(1, 0);
  out.bits(24, origin);
  for (let row = 0; row < 16; row += 1) out.bits(1, used.some((byte) => byte >> 4 === row) ? 1 : 0);
  for (let row = 0; row < 16; row += 1) {
    if (!used.some((byte) => byte >> 4 === row)) continue;
    for (let byte = row * 16; byte < row * 16 + 16; byte += 1) out.bits(1, used.includes(byte) ? 1 : 0);
  }
  // Two tables at least, though one would do: every selector names the first.
  out.bits(3, 2);
  const selectors = Math.ceil(symbols.length / SYMBOLS_PER_SELECTOR);
  out.bits(15, selectors);
  for (let index = 0; index < selectors; index += 1) out.bits(1, 0);
  for (let table = 0; table < 2; table += 1) {
    out.bits(5, CODE_BITS);
    for (let symbol = 0; symbol < used.length + 2; symbol += 1) out.bits(1, 0);
  }
  for (const symbol of symbols) out.bits(CODE_BITS, symbol);
}

/** Four equal bytes are followed by the number of further ones. */
function shortenRuns(data: Uint8Array): Uint8Array {
  const out: number[] = [];
  for (let from = 0; from < data.length; ) {
    const byte = data[from] ?? 0;
    let length = 1;
    while (length < 259 && data[from + length] === byte) length += 1;
    for (let index = 0; index < Math.min(length, 4); index += 1) out.push(byte);
    if (length >= 4) out.push(length - 4);
    from += length;
  }
  return Uint8Array.from(out);
}

/** The last column of all rotations in order, and in which row the block itself stands. */
function sortRotations(block: Uint8Array): { last: Uint8Array; origin: number } {
  const { length } = block;
  const doubled = Buffer.concat([block, block, block.subarray(0, 4)]);
  // Their first four bytes before their number: most are told apart by a plain sort of numbers.
  const keys = Float64Array.from({ length }, (_, start) => doubled.readUInt32BE(start) * 2 ** 17 + start).sort();
  const rotations = Uint32Array.from(keys, (key) => key % 2 ** 17);
  const head = (row: number): number => Math.floor((keys[row] ?? -1) / 2 ** 17);
  for (let from = 0; from < length; ) {
    let to = from + 1;
    while (to < length && head(to) === head(from)) to += 1;
    if (to - from > 1) {
      const alike = rotations.subarray(from, to);
      alike.sort((a, b) => doubled.compare(doubled, b, b + length, a, a + length));
    }
    from = to;
  }
  const last = rotations.map((start) => doubled[start + length - 1] ?? 0);
  return { last: Uint8Array.from(last), origin: rotations.indexOf(0) };
}

/** Positions in a list in which what was used last stands first; runs of the first position as digits of their length. */
function moveToFront(bytes: Uint8Array, used: readonly number[]): number[] {
  const order = Uint8Array.from(used);
  const symbols: number[] = [];
  let zeros = 0;
  const flush = (): void => {
    for (; zeros > 0; zeros = (zeros - 1) >> 1) symbols.push(zeros % 2 === 1 ? 0 : 1);
  };
  for (const byte of bytes) {
    const position = order.indexOf(byte);
    if (position === 0) {
      zeros += 1;
      continue;
    }
    flush();
    order.copyWithin(1, 0, position);
    order[0] = byte;
    symbols.push(position + 1);
  }
  flush();
  symbols.push(used.length + 1);
  return symbols;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte << 24;
  for (let bit = 0; bit < 8; bit += 1) value = value < 0 ? (value << 1) ^ 0x04c11db7 : value << 1;
  return value >>> 0;
});

function crcOf(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of data) crc = ((crc << 8) ^ (CRC_TABLE[((crc >>> 24) ^ byte) & 0xff] ?? 0)) >>> 0;
  return ~crc >>> 0;
}

class BitWriter {
  #buffer = Buffer.alloc(1 << 16);
  #length = 0;
  #pending = 0;
  #pendingBits = 0;

  bytes(values: readonly number[]): void {
    for (const value of values) this.bits(8, value);
  }

  bits(count: number, value: number): void {
    if (count > 16) {
      this.bits(count - 16, value >>> 16);
      this.bits(16, value & 0xffff);
      return;
    }
    this.#pending = (this.#pending << count) | value;
    this.#pendingBits += count;
    while (this.#pendingBits >= 8) {
      this.#pendingBits -= 8;
      this.#byte(this.#pending >>> this.#pendingBits);
      this.#pending &= (1 << this.#pendingBits) - 1;
    }
  }

  end(): Buffer {
    if (this.#pendingBits > 0) this.bits(8 - this.#pendingBits, 0);
    return this.#buffer.subarray(0, this.#length);
  }

  #byte(value: number): void {
    if (this.#length === this.#buffer.length) this.#buffer = Buffer.concat([this.#buffer, Buffer.alloc(this.#length)]);
    this.#buffer[this.#length] = value;
    this.#length += 1;
  }
}
