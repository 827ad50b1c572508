import { int16ToFloat32, msToSamples, SPEECH_SAMPLE_RATE_HZ } from '@parley/audio';
import type { OnlineRecognizer, OnlineStream } from 'sherpa-onnx-node';
import { plainText } from '../plain-text.ts';
import { connectToWorker, tellUnusable } from './engine-side.ts';
import { loadSherpa, type SherpaThreadData, sherpaConfig } from './sherpa-library.ts';
import { spokenWords } from './spoken-words.ts';
import type { ToThread } from './thread-messages.ts';
import { WorkLoop } from './work-loop.ts';

/** Streaming models look ahead: silence after a segment brings out its last words. */
const TAIL = new Float32Array(msToSamples(400, SPEECH_SAMPLE_RATE_HZ));

const side = connectToWorker();
const { tell } = side;

/** A segment has an engine stream of its own: one that was reset keeps some memory of what it heard before. */
interface Segment {
  readonly stream: number;
  readonly number: number;
  readonly online: OnlineStream;
  /** Nothing more comes: settled as soon as everything is decoded. */
  ended: boolean;
  /** Not reported as decoded yet. */
  acceptedSamples: number;
  /** In all. */
  samples: number;
  partial: string;
}

interface Stream {
  /** The open segment and those before it that are not settled yet, the oldest first. */
  segments: Segment[];
  next: number;
}

/** All sessions of the thread: what they have ready is decoded as one batch. */
class Batch {
  readonly #recognizer: OnlineRecognizer;
  readonly #streams = new Map<number, Stream>();
  /** One step of decoding at a time, so that what has come meanwhile joins the next batch. */
  readonly #loop = new WorkLoop(() => this.#step());

  constructor(recognizer: OnlineRecognizer) {
    this.#recognizer = recognizer;
  }

  receive(message: ToThread): void {
    const stream = this.#streams.get(message.stream) ?? { segments: [], next: 0 };
    this.#streams.set(message.stream, stream);
    switch (message.type) {
      case 'accept':
        this.#accept(message.stream, stream, message.samples);
        break;
      case 'settle': {
        const segment = this.#open(message.stream, stream);
        segment.online.acceptWaveform({ samples: TAIL, sampleRate: SPEECH_SAMPLE_RATE_HZ });
        segment.ended = true;
        stream.next += 1;
        break;
      }
      case 'abandon': {
        const open = stream.segments.find((segment) => !segment.ended);
        stream.segments = stream.segments.filter((segment) => segment.ended);
        stream.next += 1;
        if (open !== undefined && open.acceptedSamples > 0) {
          tell({ type: 'decoded', stream: open.stream, samples: open.acceptedSamples });
        }
        break;
      }
      case 'close':
        this.#streams.delete(message.stream);
        break;
      default:
        message satisfies never;
    }
    this.#loop.wake();
  }

  #open(id: number, stream: Stream): Segment {
    const newest = stream.segments.at(-1);
    if (newest !== undefined && !newest.ended) return newest;
    const online = this.#recognizer.createStream();
    const segment = {
      stream: id,
      number: stream.next,
      online,
      ended: false,
      acceptedSamples: 0,
      samples: 0,
      partial: '',
    };
    stream.segments.push(segment);
    return segment;
  }

  #accept(id: number, stream: Stream, samples: Int16Array): void {
    const segment = this.#open(id, stream);
    segment.online.acceptWaveform({ samples: int16ToFloat32(samples), sampleRate: SPEECH_SAMPLE_RATE_HZ });
    segment.acceptedSamples += samples.length;
    segment.samples += samples.length;
  }

  /** Whether there is more to decode. */
  #step(): boolean {
    const segments = [...this.#streams.values()].flatMap((stream) => stream.segments);
    const ready = segments.filter(({ online }) => this.#recognizer.isReady(online));
    if (ready.length > 0) this.#recognizer.decodeStreams(ready.map(({ online }) => online));
    for (const segment of segments) this.#report(segment);
    return ready.length > 0;
  }

  #report(segment: Segment): void {
    if (this.#recognizer.isReady(segment.online)) return;
    const { stream, number } = segment;
    if (segment.acceptedSamples > 0) tell({ type: 'decoded', stream, samples: segment.acceptedSamples });
    segment.acceptedSamples = 0;
    const { ys_probs: logProbabilities, ...result } = this.#recognizer.getResult(segment.online);
    const text = plainText(result.text);
    if (segment.ended) {
      const owner = this.#streams.get(stream);
      if (owner) owner.segments = owner.segments.filter((other) => other !== segment);
      const words = spokenWords({ ...result, logProbabilities }, segment.samples);
      tell({ type: 'settled', stream, segment: number, text, words });
    } else if (text !== segment.partial) {
      segment.partial = text;
      tell({ type: 'partial', stream, segment: number, text });
    }
  }
}

try {
  const { OnlineRecognizer } = loadSherpa();
  const recognizer = new OnlineRecognizer({ ...sherpaConfig(side.data as SherpaThreadData), enableEndpoint: false });
  const warmUp = recognizer.createStream();
  warmUp.acceptWaveform({ samples: new Float32Array(SPEECH_SAMPLE_RATE_HZ), sampleRate: SPEECH_SAMPLE_RATE_HZ });
  while (recognizer.isReady(warmUp)) recognizer.decodeStreams([warmUp]);
  const batch = new Batch(recognizer);
  // A batch that throws leaves no stream in a known state: the thread ends, and with it all its streams.
  side.listen((message) => batch.receive(message));
  tell({ type: 'ready' });
} catch (error) {
  tellUnusable(side, error);
}
