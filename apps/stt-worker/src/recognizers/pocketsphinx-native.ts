import { createRequire } from 'node:module';
import { join } from 'node:path';
import { VoiceError } from '@parley/protocol';

type Koffi = typeof import('koffi');
/** An address in native memory; koffi hands them out as opaque values. */
type Pointer = unknown;
type NativeFunction = (...args: unknown[]) => unknown;

const CEPSTRA = 13;
/** Cepstral frames (10 ms each) that the first look at a segment can hold. */
const MAX_FIRST_LOOK_FRAMES = 400;
/** How many frames the model's own idea of a microphone weighs against what is heard of this one. */
const PRIOR_FRAMES = 80;
/** The library counts in frames of 10 ms. */
const FRAME_SAMPLES = 160;

/** What of `feat_t` and `cmn_t` (sphinxbase 5prealpha) lies at a known place; checked against known values when loaded. */
const FEAT_STRUCT = {
  refcount: 'int',
  name: 'char*',
  cepsize: 'int32_t',
  streams: 'int32_t',
  streamLengths: 'void*',
  windowSize: 'int32_t',
  subvectorCount: 'int32_t',
  subvectorLengths: 'void*',
  subvectors: 'void*',
  subvectorBuffer: 'void*',
  subvectorDim: 'int32_t',
  cmnKind: 'int',
  varnorm: 'int32_t',
  agc: 'int',
  compute: 'void*',
  cmn: 'void*',
} as const;
const CMN_STRUCT = { mean: 'float*', variance: 'float*', sum: 'float*', frames: 'int32_t', length: 'int32_t' } as const;

/** The libraries and the functions used of them, as in `pocketsphinx.h`, `fe.h` and `cmn.h`. */
function bind(koffi: Koffi) {
  let pocketsphinx: ReturnType<Koffi['load']>;
  let sphinxbase: ReturnType<Koffi['load']>;
  try {
    pocketsphinx = koffi.load('libpocketsphinx.so.3');
    sphinxbase = koffi.load('libsphinxbase.so.3');
  } catch (cause) {
    throw new VoiceError('engine_missing', 'libpocketsphinx.so.3 cannot be loaded', { cause });
  }
  const ps = (name: string, result: string, args: string[]): NativeFunction => pocketsphinx.func(name, result, args);
  const base = (name: string, result: string, args: string[]): NativeFunction => sphinxbase.func(name, result, args);
  return {
    ps_args: ps('ps_args', 'void*', []),
    ps_init: ps('ps_init', 'void*', ['void*']),
    ps_free: ps('ps_free', 'int', ['void*']),
    ps_start_stream: ps('ps_start_stream', 'int', ['void*']),
    ps_start_utt: ps('ps_start_utt', 'int', ['void*']),
    ps_end_utt: ps('ps_end_utt', 'int', ['void*']),
    ps_process_raw: ps('ps_process_raw', 'int', ['void*', 'int16_t*', 'size_t', 'int', 'int']),
    ps_get_n_frames: ps('ps_get_n_frames', 'int', ['void*']),
    ps_seg_iter: ps('ps_seg_iter', 'void*', ['void*', 'void*']),
    ps_seg_next: ps('ps_seg_next', 'void*', ['void*']),
    ps_seg_free: ps('ps_seg_free', 'void', ['void*']),
    ps_seg_word: ps('ps_seg_word', 'const char*', ['void*']),
    ps_seg_frames: pocketsphinx.func(
      'void ps_seg_frames(void *segment, _Out_ int *first, _Out_ int *last)',
    ) as NativeFunction,
    ps_get_hyp: ps('ps_get_hyp', 'const char*', ['void*', 'int32_t*']),
    ps_get_feat: ps('ps_get_feat', 'void*', ['void*']),
    ps_get_fe: ps('ps_get_fe', 'void*', ['void*']),
    cmd_ln_parse_r: base('cmd_ln_parse_r', 'void*', ['void*', 'void*', 'int', 'void*', 'int']),
    cmd_ln_free_r: base('cmd_ln_free_r', 'int', ['void*']),
    err_set_callback: base('err_set_callback', 'void', ['void*', 'void*']),
    err_set_logfp: base('err_set_logfp', 'void', ['void*']),
    cmn_live_set: base('cmn_live_set', 'void', ['void*', 'float*']),
    fe_start_stream: base('fe_start_stream', 'void', ['void*']),
    fe_start_utt: base('fe_start_utt', 'int', ['void*']),
    fe_end_utt: base('fe_end_utt', 'int', ['void*', 'void*', 'int32_t*']),
    fe_process_frames: sphinxbase.func(
      'int fe_process_frames(void *fe, _Inout_ void **samples, _Inout_ size_t *count, void **cepstra, _Inout_ int32_t *frames, void *index)',
    ) as NativeFunction,
  };
}

/** A word, a filler or silence as the decoder lists them, in samples from the first of the segment. */
export interface DecodedWord {
  readonly word: string;
  readonly startSample: number;
  readonly endSample: number;
}

/** Frames that were decoded without a break: the front end leaves out long silence, and counts frames without it. */
interface Stretch {
  /** The first of them, among those that were decoded and among all. */
  readonly decodedFrame: number;
  readonly frame: number;
}

/** PocketSphinx, loaded into this thread. */
export class PocketSphinx {
  readonly #koffi: Koffi;
  readonly #native: ReturnType<typeof bind>;

  /** Throws `engine_missing` when the library is not installed. */
  constructor() {
    this.#koffi = createRequire(import.meta.url)('koffi') as Koffi;
    this.#native = bind(this.#koffi);
    // It logs by itself, to standard error, among other things what was said.
    this.#native.err_set_callback(null, null);
    this.#native.err_set_logfp(null);
  }

  /** Loads the models of a folder laid out as the distribution's packages do. About 0.3 s and 100 MB. */
  createDecoder(modelDir: string): Decoder {
    const values = {
      '-hmm': join(modelDir, 'en-us'),
      '-lm': join(modelDir, 'en-us.lm.bin'),
      '-dict': join(modelDir, 'cmudict-en-us.dict'),
      '-logfn': '/dev/null',
      // Measured on the test recordings: the second pass costs 0.1 s at the end of a sentence and corrects nothing, and
      // a tenth of the usual number of hypotheses a frame loses nothing.
      '-fwdflat': 'no',
      '-maxhmmpf': '3000',
    };
    const koffi = this.#koffi;
    const args = ['parley', ...Object.entries(values).flat()];
    const texts = args.map((text) => {
      const bytes = Buffer.byteLength(text) + 1;
      const memory: Pointer = koffi.alloc('char', bytes);
      koffi.encode(memory, 'char', `${text}\0`, bytes);
      return memory;
    });
    const table: Pointer = koffi.alloc('char*', texts.length);
    koffi.encode(table, 'void*', texts, texts.length);
    // The library keeps pointers into these: they stay for the life of the process.
    const native = this.#native;
    const config = native.cmd_ln_parse_r(null, native.ps_args(), texts.length, table, 1);
    const decoder = config === null ? null : native.ps_init(config);
    if (config !== null) native.cmd_ln_free_r(config);
    if (decoder === null)
      throw new VoiceError('engine_missing', `no PocketSphinx model can be loaded from ${modelDir}`);
    return new Decoder(koffi, native, decoder);
  }
}

/**
 * One decoder, for one segment at a time. Its idea of the microphone (the cepstral mean) is taken from the beginning of
 * each segment and not carried over, so that a segment is understood alike whatever was heard before.
 */
export class Decoder {
  readonly #koffi: Koffi;
  readonly #native: ReturnType<typeof bind>;
  readonly #decoder: Pointer;
  readonly #frontEnd: Pointer;
  readonly #cmn: Pointer;
  readonly #modelMean: Float32Array;
  readonly #cepstra: Pointer;
  readonly #cepstraRows: Pointer;
  /** Frames that are decoded only when those after them are there. */
  readonly #aheadFrames: number;
  #stretches: Stretch[] = [];
  #decodedFrames = 0;
  /** The front end has left something out lately, or may have. */
  #isBroken = true;

  constructor(koffi: Koffi, native: ReturnType<typeof bind>, decoder: Pointer) {
    this.#koffi = koffi;
    this.#native = native;
    this.#decoder = decoder;
    this.#frontEnd = native.ps_get_fe(decoder);
    const feat = koffi.decode(native.ps_get_feat(decoder), koffi.struct(FEAT_STRUCT));
    const cmn = feat.cepsize === CEPSTRA ? koffi.decode(feat.cmn, koffi.struct(CMN_STRUCT)) : undefined;
    if (cmn?.length !== CEPSTRA) throw new VoiceError('engine_missing', 'this build of libpocketsphinx is not known');
    this.#cmn = feat.cmn;
    this.#aheadFrames = feat.windowSize;
    this.#modelMean = koffi.decode(cmn.mean, koffi.array('float', CEPSTRA)) as Float32Array;
    this.#cepstra = koffi.alloc('float', MAX_FIRST_LOOK_FRAMES * CEPSTRA);
    this.#cepstraRows = koffi.alloc('void*', MAX_FIRST_LOOK_FRAMES);
    const first = koffi.address(this.#cepstra);
    const rowBytes = BigInt(CEPSTRA * Float32Array.BYTES_PER_ELEMENT);
    const rows = Array.from({ length: MAX_FIRST_LOOK_FRAMES }, (_, row) => first + BigInt(row) * rowBytes);
    koffi.encode(this.#cepstraRows, 'void*', rows, rows.length);
  }

  /** Begins a segment; `firstLook` is its beginning, which `process` must still be given. */
  start(firstLook: Int16Array): void {
    this.#native.cmn_live_set(this.#cmn, this.#meanOf(firstLook));
    this.#stretches = [];
    this.#decodedFrames = 0;
    this.#isBroken = true;
    this.#native.ps_start_stream(this.#decoder);
    this.#check(this.#native.ps_start_utt(this.#decoder), 'ps_start_utt');
  }

  process(samples: Int16Array): void {
    this.#check(this.#native.ps_process_raw(this.#decoder, samples, samples.length, 0, 0), 'ps_process_raw');
    const before = this.#decodedFrames;
    this.#decodedFrames = this.#native.ps_get_n_frames(this.#decoder) as number;
    const isWhole = this.#decodedFrames - before >= Math.floor(samples.length / FRAME_SAMPLES);
    if (!isWhole || this.#isBroken) this.#noteStretch(this.#firstFrame(), before);
    this.#isBroken = !isWhole;
  }

  /** The best text so far. */
  hypothesis(): string {
    return (this.#native.ps_get_hyp(this.#decoder, null) as string | null) ?? '';
  }

  /** What the best text consists of; to be asked when the segment has ended. */
  words(): DecodedWord[] {
    const native = this.#native;
    const listed: { readonly word: string; readonly first: number; readonly last: number }[] = [];
    for (let at = native.ps_seg_iter(this.#decoder, null); at !== null; at = native.ps_seg_next(at)) {
      const [first, last] = [[0], [0]];
      native.ps_seg_frames(at, first, last);
      listed.push({ word: native.ps_seg_word(at) as string, first: first[0] ?? 0, last: last[0] ?? 0 });
    }
    // All are counted from where the newest stretch begins, as if nothing had been left out before it.
    const origin = listed[0]?.first;
    this.#noteStretch(origin, this.#decodedFrames);
    const sampleOf = (decodedFrame: number): number => {
      const stretch = this.#stretches.findLast((candidate) => candidate.decodedFrame <= decodedFrame);
      return ((stretch?.frame ?? 0) + decodedFrame - (stretch?.decodedFrame ?? 0)) * FRAME_SAMPLES;
    };
    return listed.map(({ word, first, last }) => ({
      word,
      startSample: sampleOf(first - (origin ?? 0)),
      endSample: sampleOf(last - (origin ?? 0)) + FRAME_SAMPLES,
    }));
  }

  /** Ends the segment with a last pass over all of it. */
  finish(): void {
    this.#check(this.#native.ps_end_utt(this.#decoder), 'ps_end_utt');
  }

  free(): void {
    this.#native.ps_free(this.#decoder);
    this.#koffi.free(this.#cepstra);
    this.#koffi.free(this.#cepstraRows);
  }

  /** Where the newest stretch begins; undefined as long as nothing is understood. */
  #firstFrame(): number | undefined {
    const native = this.#native;
    const segment = native.ps_seg_iter(this.#decoder, null);
    if (segment === null) return undefined;
    const first = [0];
    native.ps_seg_frames(segment, first, [0]);
    native.ps_seg_free(segment);
    return first[0];
  }

  #noteStretch(frame: number | undefined, decodedFrames: number): void {
    if (frame === undefined || this.#stretches.at(-1)?.frame === frame) return;
    const decodedFrame = this.#stretches.length === 0 ? 0 : decodedFrames + this.#aheadFrames;
    this.#stretches.push({ decodedFrame, frame });
  }

  #meanOf(samples: Int16Array): Float32Array {
    const koffi = this.#koffi;
    const native = this.#native;
    const memory: Pointer = koffi.alloc('int16_t', Math.max(1, samples.length));
    koffi.encode(memory, 'int16_t', samples, samples.length);
    native.fe_start_stream(this.#frontEnd);
    native.fe_start_utt(this.#frontEnd);
    const frames = [MAX_FIRST_LOOK_FRAMES];
    native.fe_process_frames(this.#frontEnd, [memory], [samples.length], this.#cepstraRows, frames, null);
    const count = frames[0] ?? 0;
    // Nothing but silence so far: the front end keeps that to itself.
    const values =
      count > 0 ? (koffi.decode(this.#cepstra, koffi.array('float', count * CEPSTRA)) as Float32Array) : [];
    const mean = new Float32Array(CEPSTRA);
    for (let k = 0; k < CEPSTRA; k++) {
      let sum = (this.#modelMean[k] ?? 0) * PRIOR_FRAMES;
      for (let frame = 0; frame < count; frame++) sum += values[frame * CEPSTRA + k] ?? 0;
      mean[k] = sum / (PRIOR_FRAMES + count);
    }
    native.fe_end_utt(this.#frontEnd, this.#cepstra, [0]);
    koffi.free(memory);
    return mean;
  }

  #check(result: unknown, call: string): void {
    if (typeof result !== 'number' || result < 0) throw new VoiceError('engine_failed', `${call} failed`);
  }
}
