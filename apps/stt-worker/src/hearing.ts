import {
  DEFAULT_VOICE_ACTIVITY,
  isSpeaking,
  msToSamples,
  SILENCE,
  SPEECH_SAMPLE_RATE_HZ,
  samplesToMs,
  stepVoiceActivity,
  type VoiceActivity,
  type VoiceActivitySettings,
} from '@parley/audio';
import type { HearingState } from '@parley/protocol';
import {
  type EndpointingSettings,
  judgeEnd,
  learnPause,
  learnSoundTrust,
  type PauseEvidence,
  trusting,
} from './endpointing.ts';
import { FORESEEN_PROBABILITY } from './foresight.ts';

const samplesOf = (ms: number): number => msToSamples(ms, SPEECH_SAMPLE_RATE_HZ);
const msOf = (samples: number): number => samplesToMs(samples, SPEECH_SAMPLE_RATE_HZ);

/** Audio before the onset that belongs to a segment: the weak beginning of the first word. */
const PRE_ROLL_SAMPLES = samplesOf(320);
/** A sound is what an onset may be back-dated over from this level on, and so much above the background. */
const LOUD_DBFS = -45;
const LOUD_ABOVE_DB = 12;
/** Silence inside such a sound: the closure of a plosive, as of the t in "stop". */
const CLOSURE_SAMPLES = samplesOf(DEFAULT_VOICE_ACTIVITY.maxClosureMs);
/** No further: what goes on for longer without being speech is something else. */
const BACK_DATED_SAMPLES = samplesOf(256);
/** How far the cursor may fall behind while nothing is said. */
const SILENT_MOVE_SAMPLES = samplesOf(900) + PRE_ROLL_SAMPLES;
/** In speech without a pause a place to cut is looked for from here on, and the best so far taken here. */
const CUT_FROM_SAMPLES = samplesOf(4_000);
const CUT_BY_SAMPLES = samplesOf(5_000);
/** Silence inside such speech that is worth cutting at without looking further. */
const CLEAR_DIP_SAMPLES = samplesOf(64);
/** Silence inside speech at which its text may be looked at already: the weak end of a word is shorter. */
const HUSH_SAMPLES = samplesOf(64);
/** A shorter silence is no plausible end, since people do not notice it, unless the words are whole by themselves. */
const LEAST_EAGER_MS = 190;
/** Speech that follows so soon on the end of a turn was cut off: the pause was one of the speaker's own. */
const CUT_OFF_MS = 1_500;
/** Longer pauses are those of somebody who is busy, not of somebody who speaks. */
const LONGEST_PAUSE_MS = 3_000;

export interface HearingSettings extends EndpointingSettings {
  /** Probability of an end from which it is told. */
  readonly eagerProbability: number;
  /** A turn that has lasted so long is ended at its next pause or cut. */
  readonly maxTurnMs: number;
  /** Speech that confirms an interruption. */
  readonly confirmMs: number;
  /** Silence at which a stretch of speech is settled. */
  readonly pauseMs: number;
  readonly onProbability: number;
  readonly offProbability: number;
}

/** One frame of audio and how likely it is speech. */
export interface HeardFrame {
  readonly startSample: number;
  readonly samples: number;
  readonly probability: number;
  /** What is taken for the level of the background, this frame included; kept for who hears on from the next cut. */
  readonly backgroundDbfs?: number | undefined;
  /** Called where a quiet place is looked for, or where a sound begins. */
  levelDbfs(): number;
}

/** A pause of an open utterance: nothing else has the same two numbers. */
export interface Pause {
  readonly utterance: number;
  readonly lastSpeechSample: number;
}

export const isSamePause = (a: Pause | undefined, b: Pause | undefined): boolean =>
  a?.utterance === b?.utterance && a?.lastSpeechSample === b?.lastSpeechSample;

/** Why a turn was ended. */
export type EndReason = 'silence' | 'commit' | 'length';

/** The hearing state without its text, which comes from the recogniser, later. */
export type HeardState = Omit<HearingState, 'text'>;

/** What has to be done, in this order, about what was heard. */
export type HearingAction =
  /** The recogniser gets the audio from one sample to another. */
  | { readonly do: 'feed'; readonly fromSample: number; readonly toSample: number }
  /** What the recogniser got since the last settle is nothing. */
  | { readonly do: 'abandon' }
  | { readonly do: 'started'; readonly sample: number; readonly hearing: HeardState }
  | { readonly do: 'confirmed'; readonly samples: number; readonly hearing: HeardState }
  | { readonly do: 'stopped'; readonly sample: number; readonly hearing: HeardState }
  /** The turn may be over; all its text has been settled. */
  | { readonly do: 'eager'; readonly probability: number; readonly hearing: HeardState }
  /** It was not. */
  | { readonly do: 'resumed'; readonly hearing: HeardState }
  /** The segment ends; the cursor moves to its end once its text is there. */
  | { readonly do: 'settle'; readonly fromSample: number; readonly cursor: number; readonly hearing: HeardState }
  /** Nothing was said up to the cursor. */
  | { readonly do: 'move'; readonly cursor: number; readonly hearing: HeardState }
  | {
      readonly do: 'end';
      readonly utterance: number;
      readonly sample: number;
      readonly decidedSample: number;
      readonly reason: EndReason;
      /** A plausible end had been told. */
      readonly wasEager: boolean;
      readonly cursor: number;
      readonly hearing: HeardState;
    };

/**
 * What one listener makes of the speech probabilities of one session: a pure machine, without clock or I/O.
 *
 * | state    | means                                       | leaves for                                                |
 * | -------- | ------------------------------------------- | --------------------------------------------------------- |
 * | quiet    | no utterance is open, nothing is said       | speaking at an onset                                      |
 * | speaking | a segment is open and fed to the recogniser | pausing at a pause (settled); itself at a cut (settled)   |
 * | pausing  | an utterance is open, nothing is said       | speaking at an onset; quiet when the turn has ended       |
 *
 * Every settled segment and every move in silence is a *cut*: the machine starts anew there, as a successor would that
 * begins at the cursor with the hearing state. So whoever hears on from a cut decides the same, sample for sample. Frames
 * are counted from the cut, and the voice activity model starts afresh with it. A cut may lie before what was heard
 * already: then the position goes back.
 *
 * When a pause ends the turn depends on what was said and how it sounded, which are known a little later than the pause, the
 * one before the other: `pause` names the pause, `weigh` tells as much as is known by then. What is told later may lengthen
 * or shorten the wait. It does not take a plausible end back: only speech does, and the answer that is being prepared is
 * right as long as none comes.
 */
export class Hearing {
  #settings: HearingSettings;
  #hearing: HeardState;
  #cutSample: number;
  #position: number;
  #activity: VoiceActivity = SILENCE;
  #segment: { readonly startSample: number; fedSample: number } | undefined;
  #quietest: { readonly sample: number; readonly levelDbfs: number } | undefined;
  #previousLevelDbfs: number | undefined;
  #cuts = 0;
  #loudFrom: number | undefined;
  #loudTo = 0;
  /** Where voice activity itself saw the speech begin. */
  #noticedSample = 0;
  /** As the last frame left it. */
  #backgroundDbfs: number | undefined;
  /** What is known of the present pause. */
  #evidence: PauseEvidence | undefined;

  constructor(cursor: number, { text: _, ...hearing }: HearingState, settings: HearingSettings) {
    this.#settings = settings;
    this.#hearing = hearing;
    this.#cutSample = cursor;
    this.#position = cursor;
    this.#startAt(cursor);
  }

  /** Where the present state began; nothing before it is needed any more. */
  get cutSample(): number {
    return this.#cutSample;
  }

  /** How often the state has begun anew: when this has changed, frames are to be scored anew from the position. */
  get cuts(): number {
    return this.#cuts;
  }

  /** First sample of the next frame. */
  get position(): number {
    return this.#position;
  }

  get hearing(): HeardState {
    return this.#hearing;
  }

  get isSpeaking(): boolean {
    return this.#segment !== undefined;
  }

  /** Speech has fallen silent, for too short a time to be called a pause. */
  get isHushed(): boolean {
    return this.#hushSamples >= HUSH_SAMPLES;
  }

  /** Silence inside the speech that goes on. */
  get #hushSamples(): number {
    const activity = this.#activity;
    return activity.phase === 'falling' ? this.#position - activity.speechEndSample : 0;
  }

  /** The present pause of an open utterance. */
  get pause(): Pause | undefined {
    const { open, speaking, utterance, lastSpeechSample } = this.#hearing;
    if (!open || speaking || this.#segment || this.#position < lastSpeechSample) return undefined;
    return { utterance, lastSpeechSample };
  }

  /** Takes all that is known of a pause by now; if that is over, it is of no use any more. */
  weigh(pause: Pause, evidence: PauseEvidence): HearingAction[] {
    if (!isSamePause(pause, this.pause)) return [];
    this.#evidence = evidence;
    const { soundProbability } = evidence;
    if (soundProbability !== undefined) this.#hearing = { ...this.#hearing, pauseSound: soundProbability };
    const actions: HearingAction[] = [];
    this.#rest(actions);
    return actions;
  }

  update(settings: Partial<HearingSettings>): void {
    this.#settings = { ...this.#settings, ...settings };
  }

  /** One frame further; it begins at the position. */
  step(frame: HeardFrame): HearingAction[] {
    const actions: HearingAction[] = [];
    this.#position = frame.startSample + frame.samples;
    this.#backgroundDbfs = frame.backgroundDbfs ?? this.#backgroundDbfs;
    const { state, event } = stepVoiceActivity(this.#activity, frame, this.#voiceActivitySettings());
    this.#followLoudness(frame);
    this.#activity = event?.type === 'onset' ? this.#backDated(state) : state;
    if (isSpeaking(state)) {
      this.#speak(frame.samples, actions);
      this.#lookForCut(frame, actions);
    } else if (event?.type === 'offset') {
      this.#pause(event.speechEndSample, actions);
    } else if (
      this.#hearing.speaking &&
      this.#position - this.#hearing.lastSpeechSample >= samplesOf(this.#pauseMs())
    ) {
      // Speech that a predecessor heard going on, and that is not there any more: its audio was lost.
      this.#stop(this.#hearing.lastSpeechSample, actions);
    }
    this.#rest(actions);
    return actions;
  }

  /** Where the sound began that goes on, or has hardly paused, if it is too loud for the background. */
  #followLoudness(frame: HeardFrame): void {
    if (isSpeaking(this.#activity)) return;
    const isLoud =
      frame.levelDbfs() >= Math.max(LOUD_DBFS, (this.#backgroundDbfs ?? Number.NEGATIVE_INFINITY) + LOUD_ABOVE_DB);
    if (isLoud) {
      this.#loudFrom ??= frame.startSample;
      this.#loudTo = this.#position;
    } else if (this.#position - this.#loudTo > CLOSURE_SAMPLES) this.#loudFrom = undefined;
  }

  /** Speech begins with the sound that it belongs to: some first sounds are known for speech only by what follows them. */
  #backDated(activity: VoiceActivity): VoiceActivity {
    if (activity.phase === 'silence') return activity;
    this.#noticedSample = activity.onsetSample;
    if (this.#loudFrom === undefined) return activity;
    const earliest = Math.max(this.#cutSample, activity.onsetSample - BACK_DATED_SAMPLES);
    const onsetSample = Math.min(activity.onsetSample, Math.max(earliest, this.#loudFrom));
    return { ...activity, onsetSample, speechSamples: activity.speechSamples + activity.onsetSample - onsetSample };
  }

  /** The user says that the turn is over: it ends at `sample`, if there is one. */
  commit(sample: number): HearingAction[] {
    const actions: HearingAction[] = [];
    this.#position = Math.max(this.#position, sample);
    if (this.#segment) this.#pause(speechEnd(this.#activity) ?? this.#position, actions);
    else this.#stop(this.#hearing.lastSpeechSample, actions);
    if (this.#hearing.open) this.#end(this.#position, 'commit', actions);
    return actions;
  }

  /** The audio between two samples is lost: what was said before is settled, and hearing goes on after. */
  skip(fromSample: number, toSample: number): HearingAction[] {
    const actions: HearingAction[] = [];
    this.#position = Math.max(this.#position, fromSample);
    if (this.#segment) this.#pause(speechEnd(this.#activity) ?? this.#position, actions);
    this.#startAt(toSample);
    actions.push({ do: 'move', cursor: toSample, hearing: this.#hearing });
    this.#rest(actions);
    return actions;
  }

  #voiceActivitySettings(): VoiceActivitySettings {
    const { onProbability, offProbability } = this.#settings;
    return { ...DEFAULT_VOICE_ACTIVITY, onProbability, offProbability, minSilenceMs: this.#pauseMs() };
  }

  #pauseMs(): number {
    const { turnDetection, pauseMs, silenceMs } = this.#settings;
    return turnDetection === 'static' ? Math.min(pauseMs, silenceMs) : pauseMs;
  }

  /** Speech goes on, or has just been noticed. */
  #speak(frameSamples: number, actions: HearingAction[]): void {
    const activity = this.#activity;
    if (!isSpeaking(activity) || !('onsetSample' in activity)) return;
    const { onsetSample, speechEndSample, speechSamples } = activity;
    if (!this.#segment) {
      const startSample = Math.max(this.#cutSample, this.#noticedSample - PRE_ROLL_SAMPLES);
      this.#segment = { startSample, fedSample: startSample };
      this.#evidence = undefined;
    }
    // What a predecessor has published already is not published again: `speaking` and `confirmed` say so for the speech
    // that went on, `lastSpeechSample` for a stretch that it heard to its end without settling it.
    const { speaking, confirmed, lastSpeechSample } = this.#hearing;
    const isKnown = !speaking && onsetSample < lastSpeechSample;
    if (!speaking && !isKnown) {
      this.#hearing = {
        ...this.#hearing,
        ...this.#learn(onsetSample),
        onsetSample: this.#hearing.open ? this.#hearing.onsetSample : onsetSample,
        lastSpeechSample: speechEndSample,
        open: true,
        speaking: true,
        confirmed: false,
      };
      actions.push({ do: 'started', sample: onsetSample, hearing: this.#hearing });
    }
    if (this.#hearing.eager) {
      this.#hearing = { ...this.#hearing, eager: false };
      actions.push({ do: 'resumed', hearing: this.#hearing });
    }
    // Speech comes in whole frames: the one nearest to the limit confirms it, not the next one.
    const isEnough = speechSamples + frameSamples / 2 > samplesOf(this.#settings.confirmMs);
    if (isKnown || confirmed || !isEnough) return;
    this.#hearing = { ...this.#hearing, confirmed: true };
    actions.push({ do: 'confirmed', samples: speechSamples, hearing: this.#hearing });
  }

  /** What the pause before this onset says about the speaker, now that it is known whether it was inside the turn. */
  #learn(onsetSample: number): Pick<HeardState, 'ownPauseMs' | 'pauseSound' | 'soundTrust'> {
    const { open, utterance, lastSpeechSample, ownPauseMs, pauseSound, soundTrust } = this.#hearing;
    const pauseMs = msOf(onsetSample - lastSpeechSample);
    const isOwn = open ? pauseMs <= LONGEST_PAUSE_MS : utterance > 1 && pauseMs <= CUT_OFF_MS;
    const isKnown = pauseSound !== undefined && (isOwn || !open);
    return {
      ...(isOwn && pauseMs > 0 ? { ownPauseMs: learnPause(ownPauseMs, pauseMs) } : {}),
      ...(isKnown ? { soundTrust: learnSoundTrust(soundTrust, pauseSound, !isOwn) } : {}),
      pauseSound: undefined,
    };
  }

  /**
   * Feeds the segment and, where it has grown long, ends it at the quietest place of the last second. Meanwhile the
   * recogniser gets no more than what lies before the best place so far.
   */
  #lookForCut(frame: HeardFrame, actions: HearingAction[]): void {
    const segment = this.#segment;
    if (!segment) return;
    const lengthSamples = this.#position - segment.startSample;
    if (lengthSamples <= CUT_FROM_SAMPLES) return this.#feed(this.#position, actions);
    const hushSamples = this.#hushSamples;
    if (hushSamples >= CLEAR_DIP_SAMPLES) {
      const middle = this.#position - Math.ceil(hushSamples / 2);
      return this.#cutSpeech(Math.max(middle, segment.fedSample), actions);
    }
    // Between words both frames around the place are quiet; inside a word, mostly only one is.
    const ownLevelDbfs = frame.levelDbfs();
    const levelDbfs = Math.max(ownLevelDbfs, this.#previousLevelDbfs ?? ownLevelDbfs);
    this.#previousLevelDbfs = ownLevelDbfs;
    if (this.#quietest === undefined || levelDbfs < this.#quietest.levelDbfs) {
      this.#quietest = { sample: frame.startSample, levelDbfs };
      this.#feed(this.#quietest.sample, actions);
    }
    if (lengthSamples >= CUT_BY_SAMPLES) this.#cutSpeech(this.#quietest.sample, actions);
  }

  #feed(toSample: number, actions: HearingAction[]): void {
    const segment = this.#segment;
    if (!segment || toSample <= segment.fedSample) return;
    actions.push({ do: 'feed', fromSample: segment.fedSample, toSample });
    segment.fedSample = toSample;
  }

  #cutSpeech(sample: number, actions: HearingAction[]): void {
    const isTooLong = this.#isTooLong(sample);
    if (isTooLong) this.#stop(sample, actions);
    this.#hearing = { ...this.#hearing, lastSpeechSample: sample };
    this.#settle(sample, actions);
    if (isTooLong) this.#end(sample, 'length', actions);
  }

  #isTooLong(sample: number): boolean {
    return sample - this.#hearing.onsetSample >= samplesOf(this.#settings.maxTurnMs);
  }

  #pause(speechEndSample: number, actions: HearingAction[]): void {
    this.#stop(speechEndSample, actions);
    this.#evidence = undefined;
    this.#hearing = { ...this.#hearing, lastSpeechSample: Math.max(this.#hearing.lastSpeechSample, speechEndSample) };
    if (speechEndSample > this.#cutSample) return this.#settle(this.#position, actions);
    // Speech was cut, and there was none any more behind the cut: it is silence from there on.
    actions.push({ do: 'abandon' });
    this.#startAt(this.#cutSample);
  }

  #stop(sample: number, actions: HearingAction[]): void {
    if (!this.#hearing.speaking) return;
    this.#hearing = { ...this.#hearing, speaking: false, confirmed: false, lastSpeechSample: sample };
    actions.push({ do: 'stopped', sample, hearing: this.#hearing });
  }

  #settle(cursor: number, actions: HearingAction[]): void {
    const segment = this.#segment;
    if (segment) {
      this.#feed(cursor, actions);
      actions.push({ do: 'settle', fromSample: segment.startSample, cursor, hearing: this.#hearing });
    }
    this.#startAt(cursor);
  }

  /** In silence: the turn may be over, or the cursor may have fallen too far behind. */
  #rest(actions: HearingAction[]): void {
    if (this.#activity.phase !== 'silence' || this.#segment) return;
    const reason = this.#reasonToEnd(actions);
    if (reason) return this.#end(this.#beforePreRoll(), reason, actions);
    if (this.#position - this.#cutSample < SILENT_MOVE_SAMPLES) return;
    const cursor = this.#beforePreRoll();
    this.#startAt(cursor);
    actions.push({ do: 'move', cursor, hearing: this.#hearing });
  }

  /** Why the turn ends in this silence, if it does; tells a plausible end, once. */
  #reasonToEnd(actions: HearingAction[]): EndReason | undefined {
    const { pause } = this;
    if (!pause) return undefined;
    const silenceMs = msOf(this.#position - pause.lastSpeechSample);
    const { eager, ownPauseMs, soundTrust } = this.#hearing;
    const settings = { ...this.#settings, weights: trusting(this.#settings.weights, soundTrust) };
    const { waitMs, probability, awaitsSound } = judgeEnd(silenceMs, this.#evidence, ownPauseMs, settings);
    if (silenceMs >= waitMs && !awaitsSound) return 'silence';
    if (this.#isTooLong(this.#position)) return 'length';
    if (eager || !this.#evidence?.hasWords) return undefined;
    if (silenceMs < LEAST_EAGER_MS && this.#evidence.completeness < FORESEEN_PROBABILITY) return undefined;
    if (this.#settings.turnDetection === 'manual' || probability < this.#settings.eagerProbability) return undefined;
    this.#hearing = { ...this.#hearing, eager: true };
    actions.push({ do: 'eager', probability, hearing: this.#hearing });
    return undefined;
  }

  /** The latest place from which a successor would still hear the beginning of a word that starts now. */
  #beforePreRoll(): number {
    return Math.max(this.#cutSample, this.#position - PRE_ROLL_SAMPLES);
  }

  #end(cursor: number, reason: EndReason, actions: HearingAction[]): void {
    const { utterance, lastSpeechSample, eager: wasEager = false } = this.#hearing;
    const decidedSample = this.#position;
    const next = { open: false, utterance: utterance + 1, speaking: false, confirmed: false, eager: false };
    this.#hearing = { ...this.#hearing, ...next };
    this.#evidence = undefined;
    this.#startAt(cursor);
    const hearing = this.#hearing;
    const sample = lastSpeechSample;
    actions.push({ do: 'end', utterance, sample, decidedSample, reason, wasEager, cursor, hearing });
  }

  /** As a successor begins: what is not in the hearing state is forgotten. */
  #startAt(cursor: number): void {
    const { speaking, lastSpeechSample } = this.#hearing;
    if (this.#backgroundDbfs !== undefined) {
      this.#hearing = { ...this.#hearing, backgroundDbfs: Math.round(this.#backgroundDbfs * 10) / 10 };
    }
    this.#cutSample = cursor;
    this.#position = cursor;
    this.#cuts += 1;
    this.#loudFrom = undefined;
    this.#quietest = undefined;
    this.#previousLevelDbfs = undefined;
    // A cut in the middle of speech; had the speech begun after the cursor, its end would lie after it.
    const goesOn = speaking && lastSpeechSample <= cursor;
    this.#activity = goesOn
      ? { phase: 'speech', onsetSample: cursor, speechEndSample: cursor, speechSamples: 0 }
      : SILENCE;
    this.#segment = goesOn ? { startSample: cursor, fedSample: cursor } : undefined;
  }
}

function speechEnd(activity: VoiceActivity): number | undefined {
  return activity.phase === 'silence' ? undefined : activity.speechEndSample;
}
