export { AudioError, AudioErrorCode } from './audio-error.ts';
export { DEFAULT_ENERGY_GATE, EnergyGate, type EnergyGateSettings } from './energy-gate.ts';
export {
  type AudioFormat,
  assertSampleRate,
  bytesPerSample,
  bytesToMs,
  bytesToSamples,
  msToBytes,
  msToSamples,
  type SampleEncoding,
  SPEECH_FORMAT,
  SPEECH_SAMPLE_RATE_HZ,
  samplesToBytes,
  samplesToMs,
} from './format.ts';
export { type Frame, Framer, type FramerOptions } from './framer.ts';
export { decodeAlaw, decodeMulaw, encodeAlaw, encodeMulaw } from './g711.ts';
export {
  amplitudeToDbfs,
  applyGain,
  dbfsToAmplitude,
  firstSampleAbove,
  lastSampleAbove,
  peak,
  peakDbfs,
  rms,
  rmsDbfs,
} from './level.ts';
export { bytesToInt16, concatInt16, float32ToInt16, INT16_SCALE, int16ToBytes, int16ToFloat32 } from './pcm.ts';
export { PcmByteStream } from './pcm-byte-stream.ts';
export {
  createResampler,
  type Resampler,
  type ResamplerOptions,
  type ResamplerQuality,
  resample,
} from './resampler.ts';
export {
  DEFAULT_VOICE_ACTIVITY,
  isSpeaking,
  type ScoredFrame,
  SILENCE,
  stepVoiceActivity,
  type VoiceActivity,
  type VoiceActivityEvent,
  type VoiceActivitySettings,
  type VoiceActivityStep,
} from './voice-activity.ts';
export { readWav, type WavAudio, writeWav } from './wav.ts';
