import { bytesToInt16, EnergyGate, msToSamples, rmsDbfs, SPEECH_SAMPLE_RATE_HZ, samplesToMs } from '@parley/audio';
import { VAD_FRAME_SAMPLES, type VadFrame, type VadState } from '@parley/audio/vad';
import type { AudioFrame, Bus, Lease, LogSubscription } from '@parley/bus';
import {
  compareEventIds,
  type NewEvent,
  type SessionEvent,
  type SessionId,
  type Settings,
  VoiceError,
} from '@parley/protocol';
import type { Clock, Logger } from '@parley/runtime';
import { AudioRing } from './audio-ring.ts';
import type { EvidenceWeights, PauseEvidence } from './endpointing.ts';
import { Foresight } from './foresight.ts';
import {
  type HeardState,
  Hearing,
  type HearingAction,
  type HearingSettings,
  isSamePause,
  type Pause,
} from './hearing.ts';
import { type LeaseEnd, LeaseWriter } from './lease-writer.ts';
import type { SttMetrics } from './metrics.ts';
import { PauseInquiry } from './pause-inquiry.ts';
import { placeWords } from './place-words.ts';
import { joinTexts } from './plain-text.ts';
import type { RecognitionStream, SpokenWord } from './recognizer.ts';
import { textCompleteness } from './turn-end/completeness.ts';
import { RecentAudio } from './turn-end/recent-audio.ts';
import type { SoundJudge } from './turn-end/sound-judge.ts';
import type { WordsJudge } from './turn-end/words-judge.ts';
import { recordUtterance, UtteranceTrace } from './utterance-trace.ts';
import type { VoiceDetector } from './voice-detector.ts';

const samplesOf = (ms: number): number => msToSamples(ms, SPEECH_SAMPLE_RATE_HZ);

/** Weak ends of words, which the detector is to see. */
const GATE_HOLD_MS = 320;
/** Silence that the detector hears of each stretch: begun at a word it would notice it two frames late. */
const GATE_OPEN_MS = 128;
/** Steady noise varies by less from frame to frame. */
const GATE_MARGIN_DB = 3;
/** Audio that is held here; the rest waits in Redis. Reading goes on when half of it has been heard. */
const MAX_HELD_SAMPLES = samplesOf(20_000);
/** Hearing waits for a recogniser or a log that is further behind than this. */
const MAX_BACKLOG_MS = 4_000;
const MAX_WAITING_WRITES = 64;
/** A gap up to this is heard as silence, a longer one is jumped over. */
const MAX_FILLED_GAP_SAMPLES = samplesOf(6_000);
/** The log is never longer. */
const MAX_LOG_EVENTS = 10_000;
const PARTIAL_INTERVAL_MS = 100;
/** Hearing waits so long at a pause to know what was said before it, and as long as it takes if it is further behind. */
const WORDS_LIMIT_MS = 200;
const CATCH_UP_SAMPLES = samplesOf(500);
/** Live audio, in packets of 40 ms, comes so unevenly. */
const JITTER_MS = 64;
/** What the end-of-turn model gets of the time before the turn. */
const SOUND_LEAD_SAMPLES = samplesOf(500);

export type ListenerEnd = LeaseEnd | 'failed' | 'left';

export interface ListenerOptions {
  readonly bus: Bus;
  readonly session: SessionId;
  readonly lease: Lease;
  readonly stream: RecognitionStream;
  readonly detector: VoiceDetector;
  readonly hearing: Pick<HearingSettings, 'pauseMs' | 'onProbability' | 'offProbability'>;
  readonly weights: EvidenceWeights;
  /** Where there is none, turns end by text and habit. */
  readonly soundJudge: SoundJudge | undefined;
  /** How long the end of a turn waits for it. */
  readonly soundLimitMs: number;
  /** A language model that is asked about the words of each pause. */
  readonly wordsJudge: WordsJudge | undefined;
  /** Frames below this are silence without asking the detector. */
  readonly gateDbfs: number;
  readonly settleTimeoutMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: SttMetrics;
  /** Leave the session's audio in Redis for a while; go on from a sample later. */
  pauseReading(): void;
  resumeReading(fromSample: number): void;
  /** There may be frames to score. */
  wake(): void;
  onEnd(reason: ListenerEnd): void;
}

interface Frame {
  readonly startSample: number;
  readonly pcm: Int16Array;
  /** The gate says that there is nothing to score. */
  readonly isSilent: boolean;
  readonly backgroundDbfs: number;
}

/**
 * Hears one leased session: audio in, events out, the cursor moved at pauses. Audio handling never waits for Redis or
 * for the recogniser; what they have not taken yet is bounded, and beyond the bound the audio stays in Redis.
 */
export class Listener {
  readonly #options: ListenerOptions;
  readonly #hearing: Hearing;
  readonly #ring: AudioRing;
  readonly #writer: LeaseWriter;
  #vadState: VadState;
  #gate: EnergyGate;
  /** Frames given out to be scored, and the hearing's `cuts` at that time. */
  #scoring: { readonly frames: readonly Frame[]; readonly cuts: number } | undefined;
  /** The frame that the gate was asked about last. */
  #peeked: Frame | undefined;
  #isReadingPaused = false;
  /** The user ended the turn when so much audio had been sent. */
  #commitSample: number | undefined;
  /** About the present pause. */
  #inquiry: PauseInquiry | undefined;
  #settings: Settings;
  readonly #recent: RecentAudio | undefined;
  #lastPartialMs = Number.NEGATIVE_INFINITY;
  #lastPartial = '';
  /** What is understood of the open segment. */
  #segmentText = '';
  readonly #foresight = new Foresight();
  #failing = false;
  #probedWrites = -1;
  readonly #trace = new UtteranceTrace();
  /** Redis TIME at which audio came last. */
  #receivedMs: number;
  #log: LogSubscription | undefined;
  #ended: ListenerEnd | undefined;

  constructor(options: ListenerOptions) {
    const { bus, session, lease, clock, metrics, stream, detector } = options;
    const { audioCursor: cursor, hearing, settings, fence } = lease;
    this.#options = options;
    this.#settings = settings;
    this.#hearing = new Hearing(cursor, hearing, {
      ...options.hearing,
      weights: options.weights,
      ...hearingSettings(settings),
    });
    this.#recent = options.soundJudge && new RecentAudio(options.soundJudge.maxSamples);
    this.#ring = new AudioRing(cursor, MAX_HELD_SAMPLES);
    this.#receivedMs = bus.redisNowMs();
    this.#vadState = detector.createState();
    this.#gate = this.#freshGate();
    this.#writer = new LeaseWriter({
      ...{ bus, session, fence, clock, metrics },
      durable: { cursor, hearing },
      onLost: (reason) => this.#end(reason),
      onFailure: (error) => void this.fail(error),
    });
    stream.onPartial((text) => this.#partial(text));
    stream.onFailure((error) => void this.fail(error));
  }

  get session(): SessionId {
    return this.#options.session;
  }

  /** The durable cursor, and the sample up to which audio has been read. */
  position(): { cursor: number; heard: number } {
    return { cursor: this.#writer.durable.cursor, heard: this.#ring.endSample };
  }

  get hasEnded(): boolean {
    return this.#ended !== undefined;
  }

  /**
   * Follows what concerns the listener in the session's log, from the lease on. Whoever takes over looks back too: its
   * predecessor may have left an `input.commit` undone.
   */
  async follow(isTakeOver: boolean): Promise<void> {
    const { bus, session, lease } = this.#options;
    if (isTakeOver) await this.#lookBack();
    const log = await bus.log.follow(session, lease.eventCursorAtAcquire, (event) => this.#react(event));
    if (this.#ended !== undefined) return log.close();
    this.#log = log;
  }

  /** Ends the open turn once everything sent up to now has been heard. */
  async commit(): Promise<void> {
    const { bus, session } = this.#options;
    try {
      this.#commitSample = (await bus.registry.inspect(session))?.inputSample ?? this.#ring.endSample;
    } catch {
      this.#commitSample = this.#ring.endSample;
    }
    this.#commitWhenHeard();
  }

  async #lookBack(): Promise<void> {
    const { bus, session, lease } = this.#options;
    const events = await bus.log.read(session, '0-0', MAX_LOG_EVENTS);
    const before = events.filter(({ id }) => compareEventIds(id, lease.eventCursorAtAcquire) <= 0);
    const { open, utterance } = lease.hearing;
    const onset = before.findLast((event) => event.type === 'speech.started' && event.utterance === utterance);
    if (open && onset?.trace !== undefined) this.#trace.continue(utterance, onset.trace);
    const last = before.findLast(({ type }) => type === 'input.commit' || type === 'turn.ended');
    if (last?.type === 'input.commit') await this.commit();
  }

  /** Takes audio as it was read. */
  receive(frames: readonly AudioFrame[]): void {
    if (this.#ended !== undefined) return;
    for (const { startSample, pcm } of frames) {
      if (this.#isReadingPaused) return;
      this.#append(startSample, bytesToInt16(pcm));
    }
    this.#receivedMs = this.#options.bus.redisNowMs();
    const backlogSamples = this.#ring.endSample - this.#hearing.position;
    this.#options.metrics.backlogSeconds.observe(backlogSamples / SPEECH_SAMPLE_RATE_HZ);
    this.#commitWhenHeard();
    this.#options.wake();
  }

  /** Audio waits for the recogniser or for the log; asking again later is up to the caller. */
  get isHeldUp(): boolean {
    if (this.#ended !== undefined || !this.#hasFrame(this.#hearing.position)) return false;
    if (this.#options.stream.backlogMs > MAX_BACKLOG_MS || this.#writer.size > MAX_WAITING_WRITES) return true;
    return this.#awaitsJudgement(this.#hearing.position);
  }

  /**
   * A pause is judged before what follows it is heard, so that a backlog is divided into turns as it would have been live:
   * with the words, and with the sound if that is told within its limit. An answer that takes longer would have come so much
   * further on in the audio: until it is there, nothing is heard faster than it was spoken. Live audio waits a little for the
   * words, and is then heard on all the same: it may be an interruption.
   */
  #awaitsJudgement(position: number): boolean {
    const inquiry = this.#inquiry;
    if (inquiry === undefined || !isSamePause(inquiry.pause, this.#hearing.pause)) return false;
    const { waitedMs, sound, sample } = inquiry;
    const isBehind = this.#ring.endSample - this.#hearing.position >= CATCH_UP_SAMPLES;
    if (!inquiry.knowsWords) return isBehind || waitedMs < WORDS_LIMIT_MS;
    if (sound !== 'due' && sound !== 'overdue') return false;
    const isAhead = position + VAD_FRAME_SAMPLES - sample > samplesOf(waitedMs + JITTER_MS);
    return isAhead || (isBehind && sound === 'due');
  }

  /**
   * The next frames that the detector must score, at most `max`, to be followed by `score`. Clear silence is passed over
   * here and now.
   */
  takeFrames(max: number): VadFrame[] {
    this.#inquire();
    if (this.#scoring !== undefined || this.isHeldUp) return [];
    const frames: Frame[] = [];
    let position = this.#hearing.position;
    while (this.#ended === undefined && frames.length < max && this.#hasFrame(position)) {
      if (this.#awaitsJudgement(position)) break;
      const frame = this.#frameAt(position);
      if (frame.isSilent) {
        // The detector must see a session's frames in order: what it has to score comes first.
        if (frames.length > 0) break;
        this.#options.detector.skip({ state: this.#vadState, pcm: frame.pcm });
        this.#options.metrics.vadFrames.inc({ judge: 'gate' });
        this.#hear(frame, 0);
        position = this.#hearing.position;
      } else {
        frames.push(frame);
        position += VAD_FRAME_SAMPLES;
      }
    }
    if (frames.length === 0) return [];
    this.#scoring = { frames, cuts: this.#hearing.cuts };
    this.#options.metrics.vadFrames.inc({ judge: 'model' }, frames.length);
    return frames.map(({ pcm }) => ({ state: this.#vadState, pcm }));
  }

  /** Takes the probabilities of the frames taken last. */
  score(probabilities: readonly number[]): void {
    const scoring = this.#scoring;
    this.#scoring = undefined;
    scoring?.frames.forEach((frame, index) => {
      // After a cut frames are heard again, by a detector that begins there.
      if (this.#ended === undefined && this.#hearing.cuts === scoring.cuts)
        this.#hear(frame, probabilities[index] ?? 0);
    });
    this.#commitWhenHeard();
  }

  /** Finds out whether the lease still holds, if nothing was written since the last call. */
  probe(): void {
    const { writes } = this.#writer;
    if (writes === this.#probedWrites) this.#writer.push((durable) => ({ ...durable, events: [] }));
    this.#probedWrites = writes;
  }

  /** Asks for a successor, and goes on until there is one. */
  offerLease(): void {
    const { fence } = this.#options.lease;
    this.#writer.push((durable) => ({ ...durable, events: [{ type: 'lease.offered', fence }] }));
  }

  /** Gives the session up with a reason: the owner decides who hears it next. */
  async fail(reason: unknown): Promise<void> {
    if (this.#ended !== undefined || this.#failing) return;
    this.#failing = true;
    const { logger, metrics } = this.#options;
    const { code, retryable } = VoiceError.from(reason, 'engine_failed');
    // Not what is being heard: what of it has not been settled yet.
    const { utterance } = this.#writer.durable.hearing;
    logger.warn({ err: reason, code, utterance }, 'listening failed');
    metrics.engineFailures.inc({ code });
    try {
      await this.#writer.writeLast({ type: 'work.failed', stage: 'listen', utterance, code, retryable });
    } catch (err) {
      logger.warn({ err }, 'the failure could not be reported');
    }
    this.#end('failed');
  }

  /** The session is over. */
  close(): void {
    this.#end('closed');
  }

  /** Stops hearing, without a word to anybody. */
  leave(): void {
    this.#end('left');
  }

  #append(startSample: number, samples: Int16Array): void {
    const gapSamples = startSample - this.#ring.endSample;
    if (gapSamples > 0) this.#bridge(gapSamples);
    const fresh = gapSamples < 0 ? samples.subarray(-gapSamples) : samples;
    if (this.#ring.append(fresh) === 'added') return;
    this.#isReadingPaused = true;
    this.#options.metrics.readingPaused.inc();
    this.#options.pauseReading();
  }

  /** A short gap is silence; what follows a long one is not part of what was before. */
  #bridge(gapSamples: number): void {
    const { metrics, logger } = this.#options;
    metrics.gapSeconds.inc(gapSamples / SPEECH_SAMPLE_RATE_HZ);
    logger.warn({ gapMs: Math.round(samplesToMs(gapSamples, SPEECH_SAMPLE_RATE_HZ)) }, 'audio is missing');
    const fromSample = this.#ring.endSample;
    if (gapSamples <= MAX_FILLED_GAP_SAMPLES && this.#ring.append(new Int16Array(gapSamples)) === 'added') return;
    this.#perform(this.#hearing.skip(fromSample, fromSample + gapSamples));
    this.#ring.restart(fromSample + gapSamples);
    this.#startAfresh();
  }

  #hasFrame(position: number): boolean {
    return this.#ring.endSample - position >= VAD_FRAME_SAMPLES;
  }

  /** The gate is asked once about each frame, in order. */
  #frameAt(position: number): Frame {
    if (this.#peeked?.startSample === position) return this.#peeked;
    const pcm = this.#ring.slice(position, position + VAD_FRAME_SAMPLES);
    const isSilent = !this.#gate.passes(pcm);
    this.#peeked = { startSample: position, pcm, isSilent, backgroundDbfs: this.#gate.backgroundDbfs };
    return this.#peeked;
  }

  #hear({ startSample, pcm, backgroundDbfs }: Frame, probability: number): void {
    const { cuts, isHushed } = this.#hearing;
    const samples = pcm.length;
    this.#recent?.put(startSample, pcm);
    this.#perform(
      this.#hearing.step({ startSample, samples, probability, backgroundDbfs, levelDbfs: () => rmsDbfs(pcm) }),
    );
    if (this.#hearing.isHushed) this.#foresee(this.#hearing.hearing, !isHushed);
    else if (isHushed && !this.#hearing.isHushed && this.#hearing.isSpeaking) this.#takeBack(this.#hearing.hearing);
    if (this.#hearing.cuts !== cuts) this.#startAfresh();
  }

  /** After a cut: as a successor would begin there. */
  #startAfresh(): void {
    this.#vadState = this.#options.detector.createState();
    this.#gate = this.#freshGate();
    this.#peeked = undefined;
    this.#ring.dropBefore(this.#hearing.cutSample);
    const heldSamples = this.#ring.endSample - this.#ring.startSample;
    if (!this.#isReadingPaused || heldSamples > MAX_HELD_SAMPLES / 2) return;
    this.#isReadingPaused = false;
    this.#options.resumeReading(this.#ring.endSample);
  }

  /** What passes depends on the hearing state and the audio since the cut alone. */
  #freshGate(): EnergyGate {
    const { backgroundDbfs } = this.#hearing.hearing;
    const openMs = backgroundDbfs !== undefined && !this.#hearing.isSpeaking ? GATE_OPEN_MS : undefined;
    return new EnergyGate(
      { absoluteFloorDbfs: this.#options.gateDbfs, marginDb: GATE_MARGIN_DB, holdMs: GATE_HOLD_MS },
      { backgroundDbfs, openMs },
    );
  }

  #commitWhenHeard(): void {
    const sample = this.#commitSample;
    if (sample === undefined || this.#ended !== undefined || this.#scoring !== undefined) return;
    if (this.#ring.endSample < sample || this.#hearing.position + VAD_FRAME_SAMPLES <= sample) return;
    this.#commitSample = undefined;
    this.#perform(this.#hearing.commit(sample));
    this.#startAfresh();
  }

  #perform(actions: readonly HearingAction[]): void {
    for (const action of actions) this.#act(action);
    this.#inquire();
  }

  /** Begins to find out about a new pause what its text and its sound say, and lets go of one that is over. */
  #inquire(): void {
    const { pause, position } = this.#hearing;
    if (isSamePause(this.#inquiry?.pause, pause)) return;
    this.#inquiry?.end();
    this.#inquiry = undefined;
    if (pause === undefined || this.#ended !== undefined) return;
    const { clock, soundLimitMs } = this.#options;
    const inquiry = new PauseInquiry({
      ...{ pause, sample: position, clock, soundLimitMs },
      onEvidence: (evidence) => this.#weigh(pause, evidence),
    });
    this.#inquiry = inquiry;
    this.#askSound(inquiry);
    // Its turn comes when everything that was said before the pause has been settled.
    this.#writer.push(({ hearing: { text } }) => {
      this.#judgeWords(inquiry, text);
      return undefined;
    });
  }

  #judgeWords(inquiry: PauseInquiry, text: string): void {
    const { wordsJudge, weights } = this.#options;
    const { language, turnDetection } = this.#settings;
    const completeness = textCompleteness(text, language);
    inquiry.tellWords(completeness);
    if (!wordsJudge || completeness === 0 || weights.languageModel === 0 || turnDetection !== 'dynamic') return;
    inquiry.askLanguageModel((signal) => wordsJudge.score(text, language, signal));
  }

  #askSound(inquiry: PauseInquiry): void {
    const { soundJudge, weights } = this.#options;
    if (!soundJudge || weights.sound === 0 || this.#settings.turnDetection !== 'dynamic') return;
    const { position, hearing } = this.#hearing;
    const fromSample = Math.max(0, hearing.onsetSample - SOUND_LEAD_SAMPLES, position - soundJudge.maxSamples);
    const pcm = this.#recent?.slice(fromSample, position);
    if (pcm) inquiry.askSound((signal) => soundJudge.score(pcm, signal));
  }

  #weigh(pause: Pause, evidence: PauseEvidence): void {
    if (this.#ended !== undefined) return;
    const { cuts } = this.#hearing;
    this.#perform(this.#hearing.weigh(pause, evidence));
    if (this.#hearing.cuts !== cuts) this.#startAfresh();
    this.#options.wake();
  }

  #act(action: HearingAction): void {
    switch (action.do) {
      case 'feed': {
        const samples = this.#ring.slice(action.fromSample, action.toSample);
        this.#options.metrics.speechSeconds.inc(samples.length / SPEECH_SAMPLE_RATE_HZ);
        return this.#options.stream.accept(samples);
      }
      case 'abandon':
        this.#segmentText = '';
        return this.#options.stream.abandon();
      case 'started':
        this.#takeBack(action.hearing);
        return this.#publish({ type: 'speech.started', sample: action.sample }, action.hearing);
      case 'confirmed':
        return this.#publish({ type: 'speech.confirmed', samples: action.samples }, action.hearing);
      case 'stopped':
        return this.#publish({ type: 'speech.stopped', sample: action.sample }, action.hearing);
      case 'eager':
        return this.#eager(action);
      case 'resumed':
        this.#options.metrics.eager.inc({ outcome: 'resumed' });
        return this.#publish({ type: 'turn.resumed' }, action.hearing);
      case 'settle':
        return this.#settle(action);
      case 'move':
        return this.#writer.push(({ hearing: { text } }) => ({
          events: [],
          cursor: action.cursor,
          hearing: { ...action.hearing, text },
        }));
      case 'end':
        return this.#endTurn(action);
      default:
        return action satisfies never;
    }
  }

  #publish(event: SpeechEvent, hearing: HeardState): void {
    const { utterance } = hearing;
    const trace = this.#trace.of(utterance);
    this.#writer.push(({ cursor, hearing: { text } }) => ({
      events: [{ ...event, utterance, trace }],
      cursor,
      hearing: { ...hearing, text },
    }));
  }

  #settle({ fromSample, cursor, hearing }: Extract<HearingAction, { do: 'settle' }>): void {
    const { clock, metrics, stream, settleTimeoutMs } = this.#options;
    const { utterance } = hearing;
    const trace = this.#trace.of(utterance);
    const startMs = clock.nowMs();
    let words: readonly SpokenWord[] = [];
    const onWords = (told: readonly SpokenWord[]): void => {
      words = told;
    };
    this.#segmentText = '';
    const text = withinMs(stream.settle(onWords), settleTimeoutMs + 2 * stream.backlogMs, clock);
    // Its failure is noticed when its turn to be written comes.
    text.catch(() => undefined);
    this.#writer.push(async (durable) => {
      const settled = await text;
      metrics.settleSeconds.observe((clock.nowMs() - startMs) / 1_000);
      const event = {
        type: 'transcript.final',
        utterance,
        text: settled,
        fromSample,
        toSample: cursor,
        words: placeWords(words, fromSample, cursor),
        trace,
      } as const;
      const whole = joinTexts(durable.hearing.text, settled);
      return { events: settled === '' ? [] : [event], cursor, hearing: { ...hearing, text: whole } };
    });
  }

  /** Names the text that the turn has if nothing more comes: what was said has been settled before. */
  #eager({ probability, hearing }: Extract<HearingAction, { do: 'eager' }>): void {
    const { utterance } = hearing;
    const trace = this.#trace.of(utterance);
    this.#writer.push(({ cursor, hearing: { text } }) => {
      const isTold = this.#foresight.take(utterance) === text;
      return {
        events: isTold ? [] : [eagerEnd({ utterance, text, probability, trace })],
        cursor,
        hearing: { ...hearing, text },
      };
    });
  }

  /** Tells a plausible end by what is understood of speech that has only just fallen silent. */
  #foresee({ utterance }: HeardState, isFirstLook: boolean): void {
    const said = this.#segmentText;
    const isBehind = this.#ring.endSample - this.#hearing.position >= CATCH_UP_SAMPLES;
    if (!this.#foresight.isNew(said, isFirstLook) || isBehind || this.#settings.turnDetection !== 'dynamic') return;
    const trace = this.#trace.of(utterance);
    this.#writer.push((durable) => {
      const text = joinTexts(durable.hearing.text, said);
      const probability = textCompleteness(text, this.#settings.language);
      if (!this.#foresight.tells(utterance, text, probability, this.#settings.eagerProbability)) return undefined;
      return { ...durable, events: [eagerEnd({ utterance, text, probability, trace })] };
    });
  }

  /** Speech goes on: an end that was foreseen was none. */
  #takeBack({ utterance }: HeardState): void {
    const trace = this.#trace.of(utterance);
    this.#writer.push((durable) => {
      if (this.#foresight.take(utterance) === undefined) return undefined;
      this.#options.metrics.eager.inc({ outcome: 'resumed' });
      return { ...durable, events: [{ type: 'turn.resumed', utterance, trace }] };
    });
  }

  #endTurn(action: Extract<HearingAction, { do: 'end' }>): void {
    const { utterance, sample, decidedSample, cursor, hearing } = action;
    const { bus, clock, metrics, session } = this.#options;
    const trace = this.#trace.of(utterance);
    const decidedMs = clock.nowMs();
    const times = {
      onsetMs: this.#cameAtMs(hearing.onsetSample),
      lastSpeechMs: this.#cameAtMs(sample),
      decidedMs: bus.redisNowMs(),
    };
    const mode = this.#settings.turnDetection;
    this.#writer.push(({ hearing: { text } }) => {
      metrics.turns.inc({ reason: text === '' ? 'empty' : action.reason });
      if (text !== '') metrics.turnWaitSeconds.observe({ mode }, (decidedSample - sample) / SPEECH_SAMPLE_RATE_HZ);
      if (action.wasEager) metrics.eager.inc({ outcome: 'ended' });
      return {
        events: [{ type: 'turn.ended', utterance, text, sample, decidedSample, trace }],
        cursor,
        hearing: { ...hearing, text: '' },
      };
    });
    this.#writer.push(() => {
      metrics.turnEndSeconds.observe((clock.nowMs() - decidedMs) / 1_000);
      recordUtterance({ session, utterance, trace }, { ...times, writtenMs: bus.redisNowMs() });
      return undefined;
    });
  }

  /** When a sample came, in Redis TIME: as audio does that is spoken live. */
  #cameAtMs(sample: number): number {
    return this.#receivedMs - samplesToMs(this.#ring.endSample - sample, SPEECH_SAMPLE_RATE_HZ);
  }

  #partial(text: string): void {
    const { clock } = this.#options;
    const nowMs = clock.nowMs();
    this.#segmentText = text;
    if (text === '' || this.#ended !== undefined || nowMs - this.#lastPartialMs < PARTIAL_INTERVAL_MS) return;
    this.#lastPartialMs = nowMs;
    const { utterance } = this.#hearing.hearing;
    const trace = this.#trace.of(utterance);
    this.#writer.pushTransient((durable) => {
      const whole = joinTexts(durable.hearing.text, text);
      if (whole === this.#lastPartial) return undefined;
      this.#lastPartial = whole;
      return { ...durable, events: [{ type: 'transcript.partial', utterance, text: whole, trace }] };
    });
  }

  #react(event: SessionEvent): void {
    switch (event.type) {
      case 'input.commit':
        return void this.commit();
      case 'session.updated': {
        this.#settings = event.settings;
        return this.#hearing.update(hearingSettings(event.settings));
      }
      case 'lease.moved':
        return event.fence === this.#options.lease.fence ? undefined : this.#end('fenced');
      case 'session.closed':
        return this.#end('closed');
      default:
        return undefined;
    }
  }

  #end(reason: ListenerEnd): void {
    if (this.#ended !== undefined) return;
    this.#ended = reason;
    this.#inquiry?.end();
    this.#writer.stop();
    this.#options.stream.close();
    // It is a local matter by now: a subscription that cannot be ended properly ends with the connection.
    this.#log?.close().catch(() => undefined);
    this.#options.onEnd(reason);
  }
}

const eagerEnd = (end: Omit<NewEvent<'turn.eager'>, 'type'>): NewEvent<'turn.eager'> => ({
  ...end,
  type: 'turn.eager',
  probability: Math.round(end.probability * 1_000) / 1_000,
});

type SpeechEvent = WithoutUtterance<
  NewEvent<'speech.started' | 'speech.confirmed' | 'speech.stopped' | 'turn.resumed'>
>;
type WithoutUtterance<T> = T extends unknown ? Omit<T, 'utterance' | 'trace'> : never;

/** What of a session's settings concerns hearing. */
function hearingSettings(settings: Settings): Omit<HearingSettings, keyof ListenerOptions['hearing'] | 'weights'> {
  const { confirmMs, turnDetection, silenceMs, patience, minWaitMs, maxWaitMs, eagerProbability, maxTurnMs } = settings;
  return { confirmMs, turnDetection, silenceMs, patience, minWaitMs, maxWaitMs, eagerProbability, maxTurnMs };
}

async function withinMs<T>(promise: Promise<T>, ms: number, clock: Clock): Promise<T> {
  const late = Promise.withResolvers<never>();
  const cancel = clock.setTimeout(() => late.reject(new VoiceError('engine_timeout')), ms);
  return Promise.race([promise, late.promise]).finally(cancel);
}
