import { msToSamples, SPEECH_SAMPLE_RATE_HZ } from './format.ts';

/** When a run of frames counts as speech. Two thresholds, so that a probability near one of them does not flutter. */
export interface VoiceActivitySettings {
  /** A frame at or above this probability begins speech, or continues it after a short silence. */
  readonly onProbability: number;
  /** A frame below this begins a silence. */
  readonly offProbability: number;
  /** Speech is announced once it has lasted this long; what is shorter is a click. */
  readonly minSpeechMs: number;
  /** Speech is over once silence has lasted this long; what is shorter is a pause inside it. */
  readonly minSilenceMs: number;
  /** Silence up to this, with speech on both sides, is part of a word (the closure of a plosive), and so is speech too. */
  readonly maxClosureMs: number;
  readonly sampleRateHz: number;
}

export const DEFAULT_VOICE_ACTIVITY: VoiceActivitySettings = {
  onProbability: 0.5,
  offProbability: 0.35,
  minSpeechMs: 64,
  minSilenceMs: 150,
  maxClosureMs: 96,
  sampleRateHz: SPEECH_SAMPLE_RATE_HZ,
};

/** What a model thinks of one frame. Frames come in order; a gap between two counts as silence. */
export interface ScoredFrame {
  /** Position of the frame's first sample in the session's audio. */
  readonly startSample: number;
  readonly samples: number;
  readonly probability: number;
}

/**
 * Plain data, so it can be kept in a store and taken up by another process.
 *
 * | phase     | means                                  | leaves for                                                   |
 * | --------- | -------------------------------------- | ------------------------------------------------------------ |
 * | `silence` | nothing heard                          | `rising` at a frame ≥ on                                     |
 * | `rising`  | may be speech, not yet announced       | `speech` (onset) after min speech; `silence` at a frame < off |
 * | `speech`  | announced                              | `falling` at a frame < off                                   |
 * | `falling` | may be over, not yet announced         | `silence` (offset) after min silence; `speech` at a frame ≥ on |
 */
export type VoiceActivity =
  | { readonly phase: 'silence' }
  | {
      readonly phase: 'rising' | 'speech' | 'falling';
      /** First sample of the speech. */
      readonly onsetSample: number;
      /** End (exclusive) of the last frame that was speech. */
      readonly speechEndSample: number;
      /** How much of it was speech, pauses between words left out: what an interruption is confirmed by. */
      readonly speechSamples: number;
    };

/** `onset` names the first sample of the speech, `offset` the first sample after it: both lie before the present. */
export type VoiceActivityEvent =
  | { readonly type: 'onset'; readonly onsetSample: number }
  | {
      readonly type: 'offset';
      readonly onsetSample: number;
      readonly speechEndSample: number;
      readonly speechSamples: number;
    };

export interface VoiceActivityStep {
  readonly state: VoiceActivity;
  readonly event?: VoiceActivityEvent;
}

/** The state before anything was heard. */
export const SILENCE: VoiceActivity = { phase: 'silence' };

/** Whether speech has been announced and not yet ended. */
export function isSpeaking(state: VoiceActivity): boolean {
  return state.phase === 'speech' || state.phase === 'falling';
}

/** One frame further: the next state and, where speech begins or ends, the event. Pure; time is counted in samples. */
export function stepVoiceActivity(
  state: VoiceActivity,
  frame: ScoredFrame,
  settings: VoiceActivitySettings = DEFAULT_VOICE_ACTIVITY,
): VoiceActivityStep {
  switch (state.phase) {
    case 'silence':
      return fromSilence(frame, settings);
    case 'rising':
      return fromRising(state, frame, settings);
    case 'speech':
      return fromSpeech(state, frame, settings);
    case 'falling':
      return fromFalling(state, frame, settings);
    default:
      return state satisfies never;
  }
}

type Voiced = Exclude<VoiceActivity, { phase: 'silence' }>;

function fromSilence(frame: ScoredFrame, settings: VoiceActivitySettings): VoiceActivityStep {
  if (!(frame.probability >= settings.onProbability)) return { state: SILENCE };
  const begun: Voiced = {
    phase: 'rising',
    onsetSample: frame.startSample,
    speechEndSample: frame.startSample,
    speechSamples: 0,
  };
  return riseOrAnnounce(begun, frame, settings);
}

function fromRising(state: Voiced, frame: ScoredFrame, settings: VoiceActivitySettings): VoiceActivityStep {
  const gap = frame.startSample > state.speechEndSample;
  if (gap || !(frame.probability >= settings.offProbability)) return fromSilence(frame, settings);
  return riseOrAnnounce(state, frame, settings);
}

function riseOrAnnounce(state: Voiced, frame: ScoredFrame, settings: VoiceActivitySettings): VoiceActivityStep {
  const risen = withSpeech(state, frame);
  if (risen.speechSamples < msToSamples(settings.minSpeechMs, settings.sampleRateHz)) return { state: risen };
  return { state: { ...risen, phase: 'speech' }, event: { type: 'onset', onsetSample: risen.onsetSample } };
}

function fromSpeech(state: Voiced, frame: ScoredFrame, settings: VoiceActivitySettings): VoiceActivityStep {
  const gap = frame.startSample > state.speechEndSample;
  if (gap || !(frame.probability >= settings.offProbability)) {
    return fromFalling({ ...state, phase: 'falling' }, frame, settings);
  }
  return { state: withSpeech(state, frame) };
}

function fromFalling(state: Voiced, frame: ScoredFrame, settings: VoiceActivitySettings): VoiceActivityStep {
  const minSilenceSamples = msToSamples(settings.minSilenceMs, settings.sampleRateHz);
  const isSpeech = frame.probability >= settings.onProbability;
  const silenceEndSample = isSpeech ? frame.startSample : frame.startSample + frame.samples;
  const silenceSamples = silenceEndSample - state.speechEndSample;
  if (silenceSamples < minSilenceSamples) {
    if (!isSpeech) return { state };
    const isClosure = silenceSamples <= msToSamples(settings.maxClosureMs, settings.sampleRateHz);
    const speechSamples = state.speechSamples + (isClosure ? silenceSamples : 0);
    return { state: { ...withSpeech({ ...state, speechSamples }, frame), phase: 'speech' } };
  }
  const { onsetSample, speechEndSample, speechSamples } = state;
  const event: VoiceActivityEvent = { type: 'offset', onsetSample, speechEndSample, speechSamples };
  // After a gap long enough to end the speech, the frame itself may begin the next one. Its onset cannot be announced in
  // the same step, so it waits in `rising` for one more frame.
  if (!isSpeech) return { state: SILENCE, event };
  const begun: Voiced = { phase: 'rising', onsetSample: frame.startSample, speechEndSample: 0, speechSamples: 0 };
  return { state: withSpeech(begun, frame), event };
}

function withSpeech(state: Voiced, frame: ScoredFrame): Voiced {
  return {
    ...state,
    speechEndSample: frame.startSample + frame.samples,
    speechSamples: state.speechSamples + frame.samples,
  };
}
