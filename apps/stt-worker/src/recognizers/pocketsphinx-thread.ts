import { concatInt16 } from '@parley/audio';
import { plainText } from '../plain-text.ts';
import type { SpokenWord } from '../recognizer.ts';
import { connectToWorker, tellUnusable } from './engine-side.ts';
import { type Decoder, PocketSphinx } from './pocketsphinx-native.ts';
import type { ToThread } from './thread-messages.ts';

/** What the thread is told at its start. */
export interface PocketSphinxThreadData {
  readonly modelDir: string;
}

/** Decoding starts when so much of a segment is there: enough to know voice and microphone by. */
const FIRST_LOOK_SAMPLES = 12_800;
/** Audio is decoded in blocks of 100 ms, counted from the segment's start, so that results do not depend on messages. */
const BLOCK_SAMPLES = 1_600;

const side = connectToWorker();
const { tell } = side;

/** A segment: held back until the first look is possible, then decoded block by block. */
class Segment {
  readonly #decoder: Decoder;
  #held: Int16Array = new Int16Array(0);
  #started = false;
  #samples = 0;

  constructor(decoder: Decoder) {
    this.#decoder = decoder;
  }

  accept(samples: Int16Array): string {
    this.#samples += samples.length;
    this.#held = concatInt16([this.#held, samples]);
    if (!this.#started) {
      if (this.#held.length < FIRST_LOOK_SAMPLES) return '';
      this.#start();
    }
    let offset = 0;
    for (; this.#held.length - offset >= BLOCK_SAMPLES; offset += BLOCK_SAMPLES) {
      this.#decoder.process(this.#held.subarray(offset, offset + BLOCK_SAMPLES));
    }
    if (offset > 0) this.#held = this.#held.slice(offset);
    return offset > 0 ? plainText(this.#decoder.hypothesis()) : '';
  }

  finish(): { readonly text: string; readonly words: readonly SpokenWord[] } {
    if (!this.#started) this.#start();
    for (let offset = 0; offset < this.#held.length; offset += BLOCK_SAMPLES) {
      this.#decoder.process(this.#held.subarray(offset, offset + BLOCK_SAMPLES));
    }
    this.#decoder.finish();
    return { text: plainText(this.#decoder.hypothesis()), words: this.#words() };
  }

  #words(): SpokenWord[] {
    return this.#decoder.words().flatMap(({ word, startSample, endSample }) => {
      const text = plainText(word);
      const within = (sample: number): number => Math.min(sample, this.#samples);
      return text === '' ? [] : { word: text, startSample: within(startSample), endSample: within(endSample) };
    });
  }

  /** Leaves the decoder ready for the next segment. */
  abandon(): Decoder {
    if (this.#started) this.#decoder.finish();
    return this.#decoder;
  }

  get decoder(): Decoder {
    return this.#decoder;
  }

  #start(): void {
    this.#decoder.start(this.#held.subarray(0, FIRST_LOOK_SAMPLES));
    this.#started = true;
  }
}

interface Stream {
  segment: Segment | undefined;
  /** Settles and abandons so far. */
  segments: number;
  partial: string;
}

const { modelDir } = side.data as PocketSphinxThreadData;
const streams = new Map<number, Stream>();
/** Decoders that are in no segment. There are never more than the sessions that spoke at the same time. */
const idle: Decoder[] = [];

function handle(engine: PocketSphinx, message: ToThread): void {
  const stream = streams.get(message.stream) ?? { segment: undefined, segments: 0, partial: '' };
  streams.set(message.stream, stream);
  switch (message.type) {
    case 'accept': {
      stream.segment ??= new Segment(idle.pop() ?? engine.createDecoder(modelDir));
      const { length } = message.samples;
      const text = stream.segment.accept(message.samples);
      tell({ type: 'decoded', stream: message.stream, samples: length });
      if (text === '' || text === stream.partial) return;
      stream.partial = text;
      return tell({ type: 'partial', stream: message.stream, segment: stream.segments, text });
    }
    case 'settle': {
      const heard = stream.segment?.finish() ?? { text: '' };
      if (stream.segment) idle.push(stream.segment.decoder);
      tell({ type: 'settled', stream: message.stream, segment: stream.segments, ...heard });
      return begin(stream);
    }
    case 'abandon':
    case 'close':
      if (stream.segment) idle.push(stream.segment.abandon());
      if (message.type === 'close') streams.delete(message.stream);
      return begin(stream);
    default:
      return message satisfies never;
  }
}

function begin(stream: Stream): void {
  stream.segment = undefined;
  stream.partial = '';
  stream.segments += 1;
}

try {
  const engine = new PocketSphinx();
  const first = engine.createDecoder(modelDir);
  first.start(new Int16Array(0));
  first.process(new Int16Array(FIRST_LOOK_SAMPLES));
  first.finish();
  idle.push(first);
  side.listen((message) => {
    try {
      handle(engine, message);
    } catch (error) {
      // The decoder's state is not known any more: it is given up with the stream.
      streams.delete(message.stream);
      tell({ type: 'failed', stream: message.stream, message: error instanceof Error ? error.message : String(error) });
    }
  });
  tell({ type: 'ready' });
} catch (error) {
  tellUnusable(side, error);
}
