/** Every way in which audio handed to this library can be refused; the code decides what a caller does. */
export const AudioErrorCode = {
  /** Not a WAV file, or one that is cut short, empty or of an encoding that is not supported. */
  BadWav: 'bad_wav',
  /** Bytes that cannot be whole samples. */
  BadPcm: 'bad_pcm',
  /** A sample rate, frame size or setting outside what makes sense. */
  BadFormat: 'bad_format',
  /** The voice activity model is missing, broken or already closed. */
  VadUnavailable: 'vad_unavailable',
} as const;

export type AudioErrorCode = (typeof AudioErrorCode)[keyof typeof AudioErrorCode];

/** The one error class of this library. Messages speak of formats and sizes, never of what was said. */
export class AudioError extends Error {
  override readonly name = 'AudioError';
  readonly code: AudioErrorCode;

  constructor(code: AudioErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
