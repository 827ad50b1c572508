import { SPEECH_SAMPLE_RATE_HZ, samplesToMs } from '@parley/audio';
import { VoiceError } from '@parley/protocol';
import { backoff } from '@parley/runtime';
import { joinTexts, plainText } from '../plain-text.ts';
import type { OnWords, RecognitionStream, Recognizer, RecognizerOptions, SpokenWord } from '../recognizer.ts';
import { DeepgramConnection, type DeepgramResults, type DeepgramTarget } from './deepgram-connection.ts';
import { parseHotwords } from './hotwords.ts';

const DEFAULT_MODEL = 'nova-3';
const DEFAULT_LANGUAGE = 'en';
const DEFAULT_SLOTS = 64;
/** Connections that may be lost in a row before the stream is given up. */
const MAX_RECONNECTS = 3;
/** The end of a settled result and of the audio may differ by this. */
const SLACK_SAMPLES = 480;
/** Of a Finalize that finds nothing left to settle the server may say nothing. */
const SILENT_FINALIZE_MS = 600;
/** So much at the end of a segment may hold no word. */
const WORDLESS_SAMPLES = SPEECH_SAMPLE_RATE_HZ / 2;

/** Deepgram, or any server with its `/v1/listen`: one connection for each session, open as long as the session is heard. */
export async function createRecognizer(options: RecognizerOptions): Promise<Recognizer> {
  const { deepgramUrl, deepgramApiKey, deepgramModel, language = DEFAULT_LANGUAGE, slots, stallTimeoutMs } = options;
  if (deepgramUrl === undefined && deepgramApiKey === undefined) {
    throw new VoiceError('engine_missing', 'deepgram needs PARLEY_STT_DEEPGRAM_API_KEY or PARLEY_STT_DEEPGRAM_URL');
  }
  const target: DeepgramTarget = {
    ...{ url: deepgramUrl, apiKey: deepgramApiKey, language },
    model: deepgramModel || DEFAULT_MODEL,
    hotwords: parseHotwords(options.hotwords),
  };
  await tryConnection(target);
  const streams = new Set<DeepgramStream>();
  let isClosed = false;
  return {
    name: 'deepgram',
    languages: language === 'multi' ? [] : [language],
    slots: slots === 0 ? DEFAULT_SLOTS : slots,
    deterministic: false,
    cancels: 'at_once',
    async open() {
      if (isClosed) throw new VoiceError('engine_failed', 'deepgram is not running');
      const stream: DeepgramStream = new DeepgramStream(target, stallTimeoutMs, () => void streams.delete(stream));
      streams.add(stream);
      return stream;
    },
    async close() {
      isClosed = true;
      const error = new VoiceError('engine_failed', 'deepgram was stopped');
      await Promise.all([...streams].map((stream) => stream.end(error)));
    },
  };
}

/** Finds out whether the server is there and takes the key. */
async function tryConnection(target: DeepgramTarget): Promise<void> {
  const opened = Promise.withResolvers<void>();
  const connection = new DeepgramConnection(target, {
    onOpen: () => opened.resolve(),
    onResults: () => undefined,
    onLost: (error) => opened.reject(error),
  });
  await opened.promise;
  await connection.close();
}

/** Audio between two settles, kept until its text is there: a lost connection means that it is sent again. */
interface Segment {
  readonly chunks: Int16Array[];
  samples: number;
  /** No more is added. */
  ended: boolean;
  settle: PromiseWithResolvers<string> | undefined;
  onWords: OnWords | undefined;
  stall: NodeJS.Timeout | undefined;
}

/** What the open connection knows of the oldest segment. */
interface OnWire {
  /** In samples of the connection. */
  readonly startSample: number;
  sentChunks: number;
  finalized: boolean;
  settledSample: number;
  text: string;
  words: SpokenWord[];
  interim: string;
  silence: NodeJS.Timeout | undefined;
}

/**
 * One session. Only the oldest segment is on the wire: the next one is sent when the server has settled everything of it,
 * so that no word can get into the wrong segment.
 */
class DeepgramStream implements RecognitionStream {
  readonly #target: DeepgramTarget;
  readonly #stallTimeoutMs: number;
  readonly #release: () => void;
  readonly #waits = backoff({ initialMs: 50, maxMs: 1_000 });
  #connection: DeepgramConnection | undefined;
  #reconnect: NodeJS.Timeout | undefined;
  #losses = 0;
  /** Samples sent on the present connection. */
  #sentSamples = 0;
  /** The oldest first; the last one may be open. */
  #segments: Segment[] = [];
  #wire: OnWire | undefined;
  #onPartial: (text: string) => void = () => undefined;
  #onFailure: (error: Error) => void = () => undefined;
  #partial = '';
  #failure: VoiceError | undefined;

  constructor(target: DeepgramTarget, stallTimeoutMs: number, release: () => void) {
    this.#target = target;
    this.#stallTimeoutMs = stallTimeoutMs;
    this.#release = release;
    this.#connect();
  }

  /** What has not been sent yet. */
  get backlogMs(): number {
    const all = this.#segments.reduce((sum, { samples }) => sum + samples, 0);
    const sent = this.#wire === undefined ? 0 : this.#sentSamples - this.#wire.startSample;
    return samplesToMs(Math.max(0, all - sent), SPEECH_SAMPLE_RATE_HZ);
  }

  accept(samples: Int16Array): void {
    if (this.#failure !== undefined || samples.length === 0) return;
    const segment = this.#openSegment();
    segment.chunks.push(samples);
    segment.samples += samples.length;
    this.#pump();
  }

  onPartial(handler: (text: string) => void): void {
    this.#onPartial = handler;
  }

  onFailure(handler: (error: Error) => void): void {
    this.#onFailure = handler;
  }

  settle(onWords?: OnWords): Promise<string> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const segment = this.#openSegment();
    const settle = Promise.withResolvers<string>();
    Object.assign(segment, { ended: true, settle, onWords });
    segment.stall = setTimeout(
      () => void this.#fail(new VoiceError('engine_timeout', 'the server does not settle what was said')),
      this.#stallTimeoutMs + this.backlogMs,
    );
    segment.stall.unref();
    this.#partial = '';
    this.#pump();
    return settle.promise;
  }

  abandon(): void {
    const open = this.#segments.at(-1);
    if (open === undefined || open.ended) return;
    this.#partial = '';
    // What the server has heard of it must be settled there, though nobody wants to know.
    if (open === this.#segments[0] && this.#wire !== undefined) open.ended = true;
    else this.#segments.pop();
    this.#pump();
  }

  close(): void {
    void this.end(new VoiceError('engine_failed', 'the stream was closed'), true);
  }

  /** Ends the stream; resolves when the server knows. */
  async end(error: VoiceError, isWanted = false): Promise<void> {
    if (isWanted) {
      this.#onPartial = () => undefined;
      this.#onFailure = () => undefined;
    }
    await this.#fail(error);
  }

  #openSegment(): Segment {
    const last = this.#segments.at(-1);
    if (last !== undefined && !last.ended) return last;
    const nothing = { settle: undefined, onWords: undefined, stall: undefined };
    const segment: Segment = { chunks: [], samples: 0, ended: false, ...nothing };
    this.#segments.push(segment);
    return segment;
  }

  #connect(): void {
    this.#reconnect = undefined;
    this.#sentSamples = 0;
    this.#connection = new DeepgramConnection(this.#target, {
      onOpen: () => this.#pump(),
      onResults: (results) => this.#take(results),
      onLost: (error) => this.#lost(error),
    });
  }

  #lost(error: VoiceError): void {
    this.#connection = undefined;
    clearTimeout(this.#wire?.silence);
    this.#wire = undefined;
    this.#losses += 1;
    const isInUse = this.#segments.length > 0;
    if (this.#losses > MAX_RECONNECTS || !error.retryable) {
      // Without anything to hear there is time until there is.
      if (isInUse) void this.#fail(error);
      return;
    }
    this.#reconnect = setTimeout(() => this.#connect(), this.#waits.next());
    this.#reconnect.unref();
  }

  /** Sends what can be sent. */
  #pump(): void {
    if (this.#failure !== undefined) return;
    if (this.#connection === undefined && this.#reconnect === undefined && this.#segments.length > 0) {
      this.#losses = MAX_RECONNECTS;
      return this.#connect();
    }
    const connection = this.#connection;
    for (let head = this.#segments[0]; head !== undefined; head = this.#segments[0]) {
      if (head.samples === 0) {
        if (!head.ended) return;
        this.#finish(head, '', []);
        continue;
      }
      if (connection === undefined || !connection.isOpen) return;
      this.#wire ??= newOnWire(this.#sentSamples);
      const wire = this.#wire;
      for (; wire.sentChunks < head.chunks.length; wire.sentChunks += 1) {
        const chunk = head.chunks[wire.sentChunks];
        if (chunk === undefined) break;
        connection.send(chunk);
        this.#sentSamples += chunk.length;
        // It was lost in that moment.
        if (this.#wire !== wire) return;
      }
      if (!head.ended || wire.finalized) return;
      wire.finalized = true;
      connection.finalize();
      this.#finishIfSettled(head, false);
      if (this.#segments[0] === head) {
        this.#expectSilence(head, wire);
        return;
      }
    }
  }

  #take(results: DeepgramResults): void {
    const [head] = this.#segments;
    const wire = this.#wire;
    if (head === undefined || wire === undefined) return;
    const endSample = Math.round((results.start + results.duration) * SPEECH_SAMPLE_RATE_HZ);
    // It may be about the segment before, settled already.
    if (endSample <= wire.startSample) return;
    this.#losses = 0;
    this.#waits.reset();
    const [best] = results.channel.alternatives;
    const transcript = plainText(best?.transcript ?? '');
    if (results.is_final) {
      wire.text = joinTexts(wire.text, transcript);
      wire.words.push(...(best?.words ?? []).map((word) => spokenWord(word, wire.startSample, head.samples)));
      wire.settledSample = endSample;
      wire.interim = '';
    } else {
      wire.interim = transcript;
    }
    const text = joinTexts(wire.text, wire.interim);
    if (!head.ended && text !== this.#partial) {
      this.#partial = text;
      this.#onPartial(text);
    }
    this.#finishIfSettled(head, results.from_finalize === true);
    this.#pump();
  }

  #finishIfSettled(head: Segment, isToldSo: boolean): void {
    const wire = this.#wire;
    if (wire === undefined || !wire.finalized) return;
    const isSettled = wire.settledSample >= wire.startSample + head.samples - SLACK_SAMPLES;
    if (isSettled || isToldSo) this.#finish(head, wire.text, wire.words);
  }

  /** Where everything but a wordless rest was settled before the Finalize, it may remain unanswered. */
  #expectSilence(head: Segment, wire: OnWire): void {
    wire.silence = setTimeout(() => {
      if (this.#wire !== wire) return;
      const isNearlySettled = wire.settledSample >= wire.startSample + head.samples - WORDLESS_SAMPLES;
      if (!isNearlySettled || wire.interim !== '') return;
      this.#finish(head, wire.text, wire.words);
      this.#pump();
    }, SILENT_FINALIZE_MS);
    wire.silence.unref();
  }

  #finish(head: Segment, text: string, words: readonly SpokenWord[]): void {
    clearTimeout(head.stall);
    clearTimeout(this.#wire?.silence);
    this.#wire = undefined;
    this.#segments.shift();
    if (words.length > 0) head.onWords?.(words);
    head.settle?.resolve(text);
  }

  async #fail(error: VoiceError): Promise<void> {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    clearTimeout(this.#reconnect);
    clearTimeout(this.#wire?.silence);
    const settles = this.#segments.flatMap(({ settle, stall }) => {
      clearTimeout(stall);
      return settle ?? [];
    });
    this.#segments = [];
    for (const settle of settles) settle.reject(error);
    if (settles.length === 0) this.#onFailure(error);
    await this.#connection?.close();
    this.#release();
  }
}

function newOnWire(startSample: number): OnWire {
  const nothing = { text: '', words: [], interim: '', silence: undefined };
  return { startSample, sentChunks: 0, finalized: false, settledSample: startSample, ...nothing };
}

type DeepgramWord = DeepgramResults['channel']['alternatives'][number]['words'][number];

function spokenWord(word: DeepgramWord, segmentStart: number, segmentSamples: number): SpokenWord {
  const sampleAt = (seconds: number): number =>
    Math.min(segmentSamples, Math.max(0, Math.round(seconds * SPEECH_SAMPLE_RATE_HZ) - segmentStart));
  const startSample = sampleAt(word.start);
  return {
    word: word.punctuated_word ?? word.word,
    startSample,
    endSample: Math.max(startSample, sampleAt(word.end)),
    confidence: Math.min(1, Math.max(0, word.confidence)),
  };
}
