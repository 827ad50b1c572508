export {
  SileroVad,
  type SileroVadOptions,
  VAD_FRAME_SAMPLES,
  VAD_SAMPLE_RATE_HZ,
  type VadFrame,
  type VadState,
} from './silero-vad.ts';
