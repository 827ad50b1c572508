import { concatInt16 } from '@parley/audio';
import { VoiceError } from '@parley/protocol';
import { type Backoff, backoff, type Clock, ConfigError } from '@parley/runtime';
import type { OnWords, RecognitionStream, Recognizer } from './recognizer.ts';

/** An engine that may be there. */
export interface EngineSource {
  readonly name: string;
  /** Rejects when it cannot start; tried again later. */
  load(): Promise<Recognizer>;
}

export interface FallbackOptions {
  readonly clock: Clock;
  /** A settle that takes longer is the next engine's, where there is one. */
  readonly patienceMs: number;
  /** Told of each failure, and of the engine that hears the segment in its place, where there is one. */
  onFailed(engine: string, error: VoiceError): void;
  onFallback(from: string, to: string): void;
}

/** Waits before an engine is loaded again, and before one that failed is trusted with a new segment. */
const WAITS = { initialMs: 1_000, maxMs: 30_000 } as const;

/**
 * Several engines as one: each segment is heard by the first that works. When a stream fails, the audio of all segments
 * that are not settled is given to the next engine, so that the turn goes on; with a later segment the session returns to
 * the better engine. Resolves when one engine is there; the others are loaded meanwhile, and again and again.
 */
export async function startFallback(
  sources: readonly EngineSource[],
  options: FallbackOptions,
): Promise<FallbackRecognizer> {
  const candidates = sources.map((source) => new Candidate(source, options));
  let failure: unknown;
  for (const candidate of candidates) {
    try {
      await candidate.load();
      for (const other of candidates) other.loadInBackground();
      return new FallbackRecognizer(candidates, options);
    } catch (error) {
      if (error instanceof ConfigError) throw error;
      failure ??= error;
    }
  }
  throw failure ?? new VoiceError('engine_missing', 'no engine is named');
}

/** One of the engines: not loaded, working, or resting after a failure. */
class Candidate {
  readonly name: string;
  readonly #source: EngineSource;
  readonly #options: FallbackOptions;
  readonly #loads: Backoff = backoff(WAITS);
  readonly #rests: Backoff = backoff(WAITS);
  #loading: Promise<Recognizer> | undefined;
  #cancelWait: (() => void) | undefined;
  #isClosed = false;
  #restsUntilMs = Number.NEGATIVE_INFINITY;
  recognizer: Recognizer | undefined;

  constructor(source: EngineSource, options: FallbackOptions) {
    this.name = source.name;
    this.#source = source;
    this.#options = options;
  }

  get isWorking(): boolean {
    return this.recognizer !== undefined && this.#options.clock.nowMs() >= this.#restsUntilMs;
  }

  /** Resolves when it has been found out whether it can be loaded; undefined when nobody is finding out. */
  get outcome(): Promise<void> | undefined {
    const isOpen = this.recognizer === undefined && this.#loading !== undefined && !this.#isClosed;
    return isOpen ? this.#loading?.then(ignore, ignore) : undefined;
  }

  async load(): Promise<void> {
    this.#loading ??= this.#source.load();
    try {
      const recognizer = await this.#loading;
      // Who closes it in the meantime waits for it.
      if (!this.#isClosed) this.recognizer = recognizer;
    } catch (error) {
      this.#loading = undefined;
      throw error;
    }
  }

  loadInBackground(): void {
    if (this.#isClosed || this.recognizer !== undefined) return;
    this.load().catch((error) => {
      this.#options.onFailed(this.name, VoiceError.from(error, 'engine_failed'));
      this.#cancelWait = this.#options.clock.setTimeout(() => this.loadInBackground(), this.#loads.next());
    });
  }

  succeeded(): void {
    this.#rests.reset();
  }

  failed(error: VoiceError): void {
    this.#options.onFailed(this.name, error);
    this.#restsUntilMs = this.#options.clock.nowMs() + this.#rests.next();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelWait?.();
    await this.#loading?.then((recognizer) => recognizer.close()).catch(() => undefined);
  }
}

function ignore(): void {}

class FallbackRecognizer implements Recognizer {
  readonly name: string;
  readonly #candidates: readonly Candidate[];
  readonly #options: FallbackOptions;

  constructor(candidates: readonly Candidate[], options: FallbackOptions) {
    this.name = candidates.map(({ name }) => name).join(',');
    this.#candidates = candidates;
    this.#options = options;
  }

  /** What all of the engines that are there understand; what any of them says, where others do not say. */
  get languages(): readonly string[] {
    const known = this.#loaded.map(({ languages }) => languages).filter((languages) => languages.length > 0);
    const [first = [], ...others] = known;
    return first.filter((language) => others.every((languages) => languages.includes(language)));
  }

  /** Those of the first engine that is there: that is where the sessions are most of the time. */
  get slots(): number {
    return this.#loaded[0]?.slots ?? 0;
  }

  /** Who hears a segment depends on who works. */
  readonly deterministic = false;

  get cancels(): 'at_once' | 'after_segment' {
    return this.#loaded.every(({ cancels }) => cancels === 'at_once') ? 'at_once' : 'after_segment';
  }

  get minPauseMs(): number {
    return Math.max(0, ...this.#loaded.map(({ minPauseMs = 0 }) => minPauseMs));
  }

  async open(): Promise<RecognitionStream> {
    const stream = new FallbackStream(this.#candidates, this.#options);
    await stream.ready();
    return stream;
  }

  async close(): Promise<void> {
    await Promise.all(this.#candidates.map((candidate) => candidate.close()));
  }

  get #loaded(): Recognizer[] {
    return this.#candidates.flatMap(({ recognizer }) => recognizer ?? []);
  }
}

export type { FallbackRecognizer };

/** Audio between two settles, kept until its text is there. */
interface Segment {
  chunks: Int16Array[];
  settle: PromiseWithResolvers<string> | undefined;
  onWords: OnWords | undefined;
  /** Gives the engine up when it takes too long. */
  cancelPatience: (() => void) | undefined;
}

interface Current {
  readonly candidate: Candidate;
  readonly stream: RecognitionStream;
}

class FallbackStream implements RecognitionStream {
  readonly #candidates: readonly Candidate[];
  readonly #options: FallbackOptions;
  /** The oldest first; the last one is open if it has no `settle`. */
  #segments: Segment[] = [];
  #current: Current | undefined;
  /** The next stream is being opened. */
  #isOpening = false;
  /** Engines that have failed since the last settle. */
  readonly #tried = new Set<Candidate>();
  #onPartial: (text: string) => void = () => undefined;
  #onFailure: (error: Error) => void = () => undefined;
  #failure: VoiceError | undefined;

  constructor(candidates: readonly Candidate[], options: FallbackOptions) {
    this.#candidates = candidates;
    this.#options = options;
  }

  /** Resolves when there is an engine to hear with. */
  async ready(): Promise<void> {
    await this.#openNext(undefined);
    if (this.#failure !== undefined) throw this.#failure;
  }

  get backlogMs(): number {
    return this.#current?.stream.backlogMs ?? 0;
  }

  accept(samples: Int16Array): void {
    if (this.#failure !== undefined || samples.length === 0) return;
    if (this.#segments.length === 0) this.#returnToBetter();
    this.#openSegment().chunks.push(samples);
    // What an engine is given is its own, and this may be needed again.
    this.#current?.stream.accept(samples.slice());
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
    segment.settle = Promise.withResolvers<string>();
    segment.onWords = onWords;
    if (this.#current !== undefined) this.#settleWith(this.#current, segment);
    return segment.settle.promise;
  }

  abandon(): void {
    const open = this.#segments.at(-1);
    if (open === undefined || open.settle !== undefined) return;
    this.#segments.pop();
    this.#current?.stream.abandon();
  }

  close(): void {
    this.#onPartial = () => undefined;
    this.#onFailure = () => undefined;
    this.#fail(new VoiceError('engine_failed', 'the stream was closed'));
  }

  #openSegment(): Segment {
    const last = this.#segments.at(-1);
    if (last !== undefined && last.settle === undefined) return last;
    const segment = { chunks: [], settle: undefined, onWords: undefined, cancelPatience: undefined };
    this.#segments.push(segment);
    return segment;
  }

  #settleWith(current: Current, segment: Segment): void {
    const { clock, patienceMs } = this.#options;
    if (this.#next() !== undefined) {
      segment.cancelPatience = clock.setTimeout(
        () => this.#giveUp(current, new VoiceError('engine_timeout', 'the engine takes too long to settle')),
        patienceMs + 2 * current.stream.backlogMs,
      );
    }
    let words: Parameters<OnWords>[0] | undefined;
    const onWords: OnWords = (told) => {
      words = told;
    };
    current.stream.settle(onWords).then(
      (text) => {
        if (this.#current !== current) return;
        segment.cancelPatience?.();
        this.#segments = this.#segments.filter((other) => other !== segment);
        this.#tried.clear();
        current.candidate.succeeded();
        if (words !== undefined) segment.onWords?.(words);
        segment.settle?.resolve(text);
      },
      (error) => this.#giveUp(current, VoiceError.from(error, 'engine_failed')),
    );
  }

  /** Between segments: the first engine that works is the one to be with. */
  #returnToBetter(): void {
    const current = this.#current;
    const best = this.#candidates.find(({ isWorking }) => isWorking);
    if (current === undefined || best === undefined || best === current.candidate) return;
    if (this.#candidates.indexOf(best) > this.#candidates.indexOf(current.candidate)) return;
    this.#leave(current);
    this.#tried.clear();
    void this.#openNext(undefined);
  }

  #giveUp(current: Current, error: VoiceError): void {
    if (this.#current !== current) return;
    this.#leave(current);
    this.#tried.add(current.candidate);
    current.candidate.failed(error);
    void this.#openNext({ from: current.candidate, error });
  }

  #leave({ stream }: Current): void {
    this.#current = undefined;
    for (const segment of this.#segments) segment.cancelPatience?.();
    stream.close();
  }

  /** The engine to turn to: one that works, or as a last resort one that has failed before this segment. */
  #next(): Candidate | undefined {
    const left = this.#candidates.filter(
      (candidate) =>
        candidate.recognizer !== undefined && !this.#tried.has(candidate) && candidate !== this.#current?.candidate,
    );
    return left.find(({ isWorking }) => isWorking) ?? left[0];
  }

  /** Waits for engines that are being loaded where there is no other; how long, is up to the caller. */
  async #nextLoaded(): Promise<Candidate | undefined> {
    for (;;) {
      const candidate = this.#next();
      const loading = this.#candidates.flatMap(({ outcome }) => outcome ?? []);
      if (candidate !== undefined || loading.length === 0 || this.#failure !== undefined) return candidate;
      await Promise.race(loading);
    }
  }

  async #openNext(trouble: { readonly from: Candidate; readonly error: VoiceError } | undefined): Promise<void> {
    if (this.#isOpening) return;
    this.#isOpening = true;
    let last = trouble;
    for (let candidate = await this.#nextLoaded(); candidate !== undefined; candidate = await this.#nextLoaded()) {
      if (this.#failure !== undefined) return;
      try {
        const stream = await candidate.recognizer?.open();
        if (stream === undefined) throw new VoiceError('engine_failed', `${candidate.name} is not running`);
        if (this.#failure !== undefined) return stream.close();
        if (last !== undefined) this.#options.onFallback(last.from.name, candidate.name);
        this.#isOpening = false;
        return this.#begin({ candidate, stream });
      } catch (cause) {
        const error = VoiceError.from(cause, 'engine_failed');
        this.#tried.add(candidate);
        candidate.failed(error);
        last = { from: candidate, error };
      }
    }
    this.#fail(last?.error ?? new VoiceError('engine_missing', 'no engine is there'));
  }

  /** Lets the engine hear everything that is not settled. */
  #begin(current: Current): void {
    const { stream } = current;
    this.#current = current;
    stream.onPartial((text) => {
      // While segments before the open one are settled again, its text is not known.
      if (this.#current === current) this.#onPartial(text);
    });
    stream.onFailure((error) => this.#giveUp(current, VoiceError.from(error, 'engine_failed')));
    for (const segment of [...this.#segments]) {
      if (segment.chunks.length > 0) {
        const samples = concatInt16(segment.chunks);
        segment.chunks = [samples];
        stream.accept(samples.slice());
      }
      if (segment.settle !== undefined) this.#settleWith(current, segment);
      // The engine may have failed by now.
      if (this.#current !== current) return;
    }
  }

  #fail(error: VoiceError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    const current = this.#current;
    if (current !== undefined) this.#leave(current);
    const settles = this.#segments.flatMap(({ settle }) => settle ?? []);
    this.#segments = [];
    for (const settle of settles) settle.reject(error);
    if (settles.length === 0) this.#onFailure(error);
  }
}
