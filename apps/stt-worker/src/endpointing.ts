import { msToSamples, SPEECH_SAMPLE_RATE_HZ } from '@parley/audio';

/** What is known of an open utterance after the sample `position`. */
interface UtteranceSoFar {
  /** The sample after the last speech. */
  readonly lastSpeechSample: number;
  /** Everything before this sample has been heard. */
  readonly position: number;
}

/**
 * Says when an utterance is a turn. Time is counted in samples of audio, never by a clock, so that a listener that hears
 * a backlog decides as one that heard it live. The modes that weigh text and sound will be further functions of this
 * type, chosen where `staticSilence` is.
 */
export type Endpointing = (utterance: UtteranceSoFar) => boolean;

/** A turn ends when silence has lasted this long. */
export function staticSilence(silenceMs: number): Endpointing {
  const silenceSamples = msToSamples(silenceMs, SPEECH_SAMPLE_RATE_HZ);
  return ({ lastSpeechSample, position }) => position - lastSpeechSample >= silenceSamples;
}
