import { concatInt16, int16ToFloat32, msToSamples, SPEECH_SAMPLE_RATE_HZ } from '@parley/audio';
import type { OfflineRecognizer } from 'sherpa-onnx-node';
import { plainText } from '../plain-text.ts';
import type { SpokenWord } from '../recognizer.ts';
import { isAudible } from './audible.ts';
import { connectToWorker, tellUnusable } from './engine-side.ts';
import { loadSherpa, type SherpaThreadData, sherpaConfig } from './sherpa-library.ts';
import { spokenWords } from './spoken-words.ts';
import type { ToThread } from './thread-messages.ts';
import { WorkLoop } from './work-loop.ts';

/** Models want more than a syllable: shorter segments are filled up with silence. */
const SHORTEST_SAMPLES = msToSamples(500, SPEECH_SAMPLE_RATE_HZ);
/** Segments of a session that may wait to be settled before its audio counts as a backlog. */
const WAITING_SEGMENTS = 2;

const side = connectToWorker();
const { tell } = side;

/** Audio of a segment; it is open, or waits to be settled. */
interface Segment {
  readonly number: number;
  chunks: Int16Array[];
  samples: number;
  /** Of these, how many had been there at the last look. */
  seenSamples: number;
  partial: string;
}

interface Stream {
  readonly id: number;
  open: Segment;
  readonly ended: Segment[];
  /** Accepted and still reported as backlog. */
  owedSamples: number;
}

interface Heard {
  readonly text: string;
  readonly words?: readonly SpokenWord[] | undefined;
}

/**
 * All sessions of the thread, for a model that hears a segment as a whole. Segments that have ended come first, in the
 * order of their ends. In the time between, open ones are looked at for partials, each when enough has been added to it,
 * for at most half of the time.
 */
class Segments {
  readonly #recognizer: OfflineRecognizer;
  readonly #partialSamples: number;
  readonly #streams = new Map<number, Stream>();
  /** Streams with a segment to settle, once for each. */
  #toSettle: Stream[] = [];
  #nextLookMs = 0;
  /** One piece of work at a time, so that what is no longer wanted is heard of before the next. */
  readonly #loop = new WorkLoop(() => this.#work());
  #waiting: NodeJS.Timeout | undefined;

  constructor(recognizer: OfflineRecognizer, partialMs: number) {
    this.#recognizer = recognizer;
    this.#partialSamples = msToSamples(partialMs, SPEECH_SAMPLE_RATE_HZ);
  }

  receive(message: ToThread): void {
    const id = message.stream;
    const stream = this.#streams.get(id) ?? { id, open: newSegment(0), ended: [], owedSamples: 0 };
    this.#streams.set(id, stream);
    switch (message.type) {
      case 'accept':
        stream.open.chunks.push(message.samples);
        stream.open.samples += message.samples.length;
        stream.owedSamples += message.samples.length;
        break;
      case 'settle':
        stream.ended.push(stream.open);
        this.#toSettle.push(stream);
        stream.open = newSegment(stream.open.number + 1);
        break;
      case 'abandon':
        stream.open = newSegment(stream.open.number + 1);
        break;
      case 'close':
        this.#drop(stream);
        break;
      default:
        message satisfies never;
    }
    this.#relieve(stream);
    this.#loop.wake();
  }

  /** Whether something was done. */
  #work(): boolean {
    const stream = this.#toSettle.shift();
    const segment = stream?.ended.shift();
    if (stream !== undefined && segment !== undefined) {
      const heard = this.#hear(stream, segment);
      if (heard !== undefined) tell({ type: 'settled', stream: stream.id, segment: segment.number, ...heard });
      this.#relieve(stream);
      return true;
    }
    return this.#look();
  }

  #look(): boolean {
    const due = [...this.#streams.values()]
      .filter(({ open }) => open.samples - open.seenSamples >= this.#partialSamples)
      .toSorted((a, b) => b.open.samples - b.open.seenSamples - (a.open.samples - a.open.seenSamples))[0];
    if (due === undefined) return false;
    const startMs = performance.now();
    if (startMs < this.#nextLookMs) {
      this.#waiting ??= setTimeout(() => {
        this.#waiting = undefined;
        this.#loop.wake();
      }, this.#nextLookMs - startMs);
      return false;
    }
    const { open } = due;
    open.seenSamples = open.samples;
    const heard = this.#hear(due, open);
    const endMs = performance.now();
    this.#nextLookMs = endMs + (endMs - startMs);
    if (heard !== undefined && heard.text !== open.partial) {
      open.partial = heard.text;
      tell({ type: 'partial', stream: due.id, segment: open.number, text: heard.text });
    }
    return true;
  }

  #hear(stream: Stream, segment: Segment): Heard | undefined {
    const samples = concatInt16(segment.chunks);
    segment.chunks = [samples];
    if (!isAudible(samples)) return { text: '' };
    try {
      const offline = this.#recognizer.createStream();
      const padded = new Int16Array(Math.max(SHORTEST_SAMPLES, samples.length));
      padded.set(samples);
      offline.acceptWaveform({ samples: int16ToFloat32(padded), sampleRate: SPEECH_SAMPLE_RATE_HZ });
      this.#recognizer.decode(offline);
      const { ys_log_probs: logProbabilities, ...result } = this.#recognizer.getResult(offline);
      return {
        text: plainText(result.text),
        words: spokenWords({ ...result, logProbabilities }, samples.length),
      };
    } catch {
      // Not the message: it may quote what was understood.
      this.#drop(stream);
      tell({ type: 'failed', stream: stream.id, message: 'the model failed on a segment' });
      return undefined;
    }
  }

  /** Audio is a backlog only while the session's segments wait. */
  #relieve(stream: Stream): void {
    if (stream.owedSamples === 0 || stream.ended.length > WAITING_SEGMENTS) return;
    tell({ type: 'decoded', stream: stream.id, samples: stream.owedSamples });
    stream.owedSamples = 0;
  }

  #drop(stream: Stream): void {
    this.#streams.delete(stream.id);
    this.#toSettle = this.#toSettle.filter((other) => other !== stream);
    stream.ended.length = 0;
  }
}

function newSegment(number: number): Segment {
  return { number, chunks: [], samples: 0, seenSamples: 0, partial: '' };
}

try {
  const data = side.data as SherpaThreadData;
  const { OfflineRecognizer } = loadSherpa();
  const recognizer = new OfflineRecognizer(sherpaConfig(data));
  const warmUp = recognizer.createStream();
  warmUp.acceptWaveform({ samples: new Float32Array(SPEECH_SAMPLE_RATE_HZ), sampleRate: SPEECH_SAMPLE_RATE_HZ });
  recognizer.decode(warmUp);
  const segments = new Segments(recognizer, data.partialMs);
  side.listen((message) => segments.receive(message));
  tell({ type: 'ready' });
} catch (error) {
  tellUnusable(side, error);
}
