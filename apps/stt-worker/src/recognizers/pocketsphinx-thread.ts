import { concatInt16 } from '@parley/audio';
import { plainText } from '../plain-text.ts';
import type { SpokenWord } from '../recognizer.ts';
import { connectToWorker, tellUnusable } from './engine-side.ts';
import { type Decoder, PocketSphinx } from './pocketsphinx-native.ts';
import type { ToThread } from './thread-messages.ts';
import { WorkLoop } from './work-loop.ts';

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

interface Heard {
  readonly text: string;
  readonly words?: readonly SpokenWord[];
}

/** A segment: held back until the first look is possible, then decoded block by block. */
class Segment {
  readonly number: number;
  /** Nothing more comes. */
  isEnded = false;
  #decoder: Decoder | undefined;
  #chunks: Int16Array[] = [];
  #heldSamples = 0;
  #samples = 0;
  #unreportedSamples = 0;

  constructor(number: number) {
    this.number = number;
  }

  accept(samples: Int16Array): void {
    this.#chunks.push(samples);
    this.#heldSamples += samples.length;
    this.#samples += samples.length;
    this.#unreportedSamples += samples.length;
  }

  /** There is a block to decode, or an end to make. */
  get hasWork(): boolean {
    const neededSamples = this.#decoder === undefined ? FIRST_LOOK_SAMPLES : BLOCK_SAMPLES;
    return this.isEnded || this.#heldSamples >= neededSamples;
  }

  /** All of it has been decoded. */
  get isDecoded(): boolean {
    return this.isEnded && this.#heldSamples === 0;
  }

  /** Decodes the next block and answers the best text so far. */
  decode(borrow: () => Decoder): string {
    if (this.#decoder === undefined) {
      const decoder = borrow();
      decoder.start(this.#first(FIRST_LOOK_SAMPLES));
      this.#decoder = decoder;
    }
    const block = this.#first(BLOCK_SAMPLES);
    this.#drop(block.length);
    this.#decoder.process(block);
    return plainText(this.#decoder.hypothesis());
  }

  /** Samples that are no backlog any more since the last call: what only waits for more of them is none. */
  report(isUnwanted = false): number {
    const isBacklog = this.hasWork && !isUnwanted;
    const samples = isBacklog ? Math.min(this.#unreportedSamples, BLOCK_SAMPLES) : this.#unreportedSamples;
    this.#unreportedSamples -= samples;
    return samples;
  }

  /** Ends the decoding; `release` gets the decoder, ready for the next segment. */
  finish(release: (decoder: Decoder) => void): Heard {
    const decoder = this.#decoder;
    if (decoder === undefined) return { text: '' };
    this.#decoder = undefined;
    decoder.finish();
    const words = decoder.words().flatMap(({ word, startSample, endSample }) => {
      const text = plainText(word);
      const within = (sample: number): number => Math.min(sample, this.#samples);
      return text === '' ? [] : { word: text, startSample: within(startSample), endSample: within(endSample) };
    });
    const text = plainText(decoder.hypothesis());
    release(decoder);
    return { text, words };
  }

  #first(samples: number): Int16Array {
    const chunks: Int16Array[] = [];
    let missing = samples;
    for (const chunk of this.#chunks) {
      if (missing === 0) break;
      chunks.push(chunk.subarray(0, missing));
      missing -= Math.min(missing, chunk.length);
    }
    return concatInt16(chunks);
  }

  #drop(samples: number): void {
    this.#heldSamples -= samples;
    let rest = samples;
    while (rest > 0) {
      const [chunk = new Int16Array(0)] = this.#chunks;
      if (chunk.length > rest) this.#chunks[0] = chunk.subarray(rest);
      else this.#chunks.shift();
      rest -= Math.min(rest, chunk.length);
    }
  }
}

interface Stream {
  readonly id: number;
  /** Those that are not settled yet, the oldest first. */
  segments: Segment[];
  /** Settles and abandons so far. */
  next: number;
  partial: string;
}

/** All sessions of the thread. They take turns, block by block, so that what is no longer wanted is heard of in between. */
class Sessions {
  readonly #createDecoder: () => Decoder;
  /** The one whose turn is next first. */
  readonly #streams = new Map<number, Stream>();
  /** Decoders that are in no segment. There are never more than the sessions that spoke at the same time. */
  readonly #idle: Decoder[];
  readonly #loop = new WorkLoop(() => this.#work());

  constructor(createDecoder: () => Decoder, first: Decoder) {
    this.#createDecoder = createDecoder;
    this.#idle = [first];
  }

  receive(message: ToThread): void {
    const id = message.stream;
    const stream = this.#streams.get(id) ?? { id, segments: [], next: 0, partial: '' };
    this.#streams.set(id, stream);
    switch (message.type) {
      case 'accept': {
        const segment = this.#open(stream);
        segment.accept(message.samples);
        if (!segment.hasWork) tell({ type: 'decoded', stream: id, samples: segment.report() });
        break;
      }
      case 'settle':
        this.#open(stream).isEnded = true;
        stream.next += 1;
        break;
      case 'abandon':
        this.#drop(stream, ({ isEnded }) => !isEnded);
        stream.next += 1;
        break;
      case 'close':
        this.#streams.delete(id);
        this.#drop(stream, () => true);
        break;
      default:
        message satisfies never;
    }
    this.#loop.wake();
  }

  #open(stream: Stream): Segment {
    const newest = stream.segments.at(-1);
    if (newest !== undefined && !newest.isEnded) return newest;
    const segment = new Segment(stream.next);
    stream.segments.push(segment);
    return segment;
  }

  #drop(stream: Stream, isUnwanted: (segment: Segment) => boolean): void {
    const unwanted = stream.segments.filter(isUnwanted);
    stream.segments = stream.segments.filter((segment) => !isUnwanted(segment));
    stream.partial = '';
    for (const segment of unwanted) {
      tell({ type: 'decoded', stream: stream.id, samples: segment.report(true) });
      this.#guard(stream, () => void this.#finish(segment));
    }
  }

  /** Whether something was done. */
  #work(): boolean {
    for (const stream of this.#streams.values()) {
      const [segment] = stream.segments;
      if (segment === undefined || !segment.hasWork) continue;
      this.#streams.delete(stream.id);
      this.#streams.set(stream.id, stream);
      this.#guard(stream, () => this.#advance(stream, segment));
      return true;
    }
    return false;
  }

  #advance(stream: Stream, segment: Segment): void {
    const { id } = stream;
    if (!segment.isDecoded) {
      const text = segment.decode(() => this.#idle.pop() ?? this.#createDecoder());
      tell({ type: 'decoded', stream: id, samples: segment.report() });
      if (segment.isEnded || text === '' || text === stream.partial) return;
      stream.partial = text;
      return tell({ type: 'partial', stream: id, segment: segment.number, text });
    }
    stream.segments.shift();
    stream.partial = '';
    tell({ type: 'settled', stream: id, segment: segment.number, ...this.#finish(segment) });
  }

  #finish(segment: Segment): Heard {
    return segment.finish((decoder) => this.#idle.push(decoder));
  }

  #guard(stream: Stream, work: () => void): void {
    try {
      work();
    } catch (error) {
      // The decoder's state is not known any more: it is given up with the stream.
      this.#streams.delete(stream.id);
      tell({ type: 'failed', stream: stream.id, message: error instanceof Error ? error.message : String(error) });
    }
  }
}

try {
  const { modelDir } = side.data as PocketSphinxThreadData;
  const engine = new PocketSphinx();
  const first = engine.createDecoder(modelDir);
  first.start(new Int16Array(0));
  first.process(new Int16Array(FIRST_LOOK_SAMPLES));
  first.finish();
  const sessions = new Sessions(() => engine.createDecoder(modelDir), first);
  side.listen((message) => sessions.receive(message));
  tell({ type: 'ready' });
} catch (error) {
  tellUnusable(side, error);
}
