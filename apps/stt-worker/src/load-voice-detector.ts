import { SileroVad } from '@parley/audio/vad';
import type { VoiceDetector } from './voice-detector.ts';

/** Loads the detector of that name. */
export async function loadVoiceDetector(kind: 'silero' | 'energy'): Promise<VoiceDetector> {
  if (kind === 'silero') return SileroVad.load();
  const { EnergyDetector } = await import('./energy-detector.ts');
  return new EnergyDetector();
}
