import { createRequire } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';
import { int16ToFloat32, msToSamples, SPEECH_SAMPLE_RATE_HZ } from '@parley/audio';
import { VoiceError } from '@parley/protocol';
import type { OnlineRecognizer, OnlineStream } from 'sherpa-onnx-node';
import { plainText } from '../plain-text.ts';
import type { SherpaModel } from './sherpa-model.ts';
import type { FromThread, ToThread } from './thread-messages.ts';

/** What the thread is told at its start. */
export interface SherpaThreadData {
  readonly model: SherpaModel;
}

/** Streaming models look ahead: silence after a segment brings out its last words. */
const TAIL = new Float32Array(msToSamples(400, SPEECH_SAMPLE_RATE_HZ));

const port = parentPort;
if (port === null) throw new Error('this module runs in a worker thread');
const tell = (message: FromThread): void => port.postMessage(message);

/** A segment has an engine stream of its own: one that was reset keeps some memory of what it heard before. */
interface Segment {
  readonly stream: number;
  readonly number: number;
  readonly online: OnlineStream;
  /** Nothing more comes: settled as soon as everything is decoded. */
  ended: boolean;
  acceptedSamples: number;
  partial: string;
}

interface Stream {
  /** The open segment and those before it that are not settled yet, the oldest first. */
  segments: Segment[];
  next: number;
}

function load({ model }: SherpaThreadData): OnlineRecognizer {
  let sherpa: typeof import('sherpa-onnx-node');
  try {
    sherpa = createRequire(import.meta.url)('sherpa-onnx-node');
  } catch (cause) {
    throw new VoiceError('engine_missing', 'sherpa-onnx-node cannot be loaded', { cause });
  }
  return new sherpa.OnlineRecognizer({
    featConfig: { sampleRate: SPEECH_SAMPLE_RATE_HZ, featureDim: 80 },
    modelConfig: { ...model, numThreads: 1, provider: 'cpu', debug: 0 },
    decodingMethod: 'greedy_search',
    enableEndpoint: false,
  });
}

/** All sessions of the thread: what they have ready is decoded as one batch. */
class Batch {
  readonly #recognizer: OnlineRecognizer;
  readonly #streams = new Map<number, Stream>();
  #scheduled = false;

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
      case 'abandon':
        stream.segments = stream.segments.filter((segment) => segment.ended);
        stream.next += 1;
        break;
      case 'close':
        this.#streams.delete(message.stream);
        break;
      default:
        message satisfies never;
    }
    this.#schedule();
  }

  #open(id: number, stream: Stream): Segment {
    const newest = stream.segments.at(-1);
    if (newest !== undefined && !newest.ended) return newest;
    const online = this.#recognizer.createStream();
    const segment = { stream: id, number: stream.next, online, ended: false, acceptedSamples: 0, partial: '' };
    stream.segments.push(segment);
    return segment;
  }

  #accept(id: number, stream: Stream, samples: Int16Array): void {
    const segment = this.#open(id, stream);
    segment.online.acceptWaveform({ samples: int16ToFloat32(samples), sampleRate: SPEECH_SAMPLE_RATE_HZ });
    segment.acceptedSamples += samples.length;
  }

  /** One step of decoding at a time, so that what has come meanwhile joins the next batch. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (this.#step()) this.#schedule();
    });
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
    const text = plainText(this.#recognizer.getResult(segment.online).text);
    if (segment.ended) {
      const owner = this.#streams.get(stream);
      if (owner) owner.segments = owner.segments.filter((other) => other !== segment);
      tell({ type: 'settled', stream, segment: number, text });
    } else if (text !== segment.partial) {
      segment.partial = text;
      tell({ type: 'partial', stream, segment: number, text });
    }
  }
}

try {
  const recognizer = load(workerData as SherpaThreadData);
  const warmUp = recognizer.createStream();
  warmUp.acceptWaveform({ samples: new Float32Array(SPEECH_SAMPLE_RATE_HZ), sampleRate: SPEECH_SAMPLE_RATE_HZ });
  while (recognizer.isReady(warmUp)) recognizer.decodeStreams([warmUp]);
  const batch = new Batch(recognizer);
  // A batch that throws leaves no stream in a known state: the thread ends, and with it all its streams.
  port.on('message', (message: ToThread) => batch.receive(message));
  tell({ type: 'ready' });
} catch (error) {
  const { code, message } = VoiceError.from(error, 'engine_failed');
  tell({ type: 'unusable', code: code === 'engine_missing' ? code : 'engine_failed', message });
}
