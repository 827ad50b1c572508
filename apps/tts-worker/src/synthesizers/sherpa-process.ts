import { createRequire } from 'node:module';
import { float32ToInt16 } from '@parley/audio';
import type { OfflineTts } from 'sherpa-onnx-node';
import type { SherpaAnswer, SherpaProcessOptions, SherpaRequest } from './sherpa-messages.ts';

/** What the library says of a text that it has no word of. */
const NO_AUDIO = /produced no audio/;

const answer = (message: SherpaAnswer): void => {
  // The other side may be gone: then nobody is left to be told.
  if (process.connected) process.send?.(message, () => undefined);
};

/** Requests in work, and whether they have been cancelled. */
const running = new Map<number, { cancelled: boolean }>();

async function load({ model, ruleFsts, provider, numThreads }: SherpaProcessOptions): Promise<void> {
  let sherpa: typeof import('sherpa-onnx-node');
  try {
    sherpa = createRequire(import.meta.url)('sherpa-onnx-node');
  } catch (error) {
    answer({ type: 'unusable', code: 'engine_missing', message: `sherpa-onnx-node cannot be loaded: ${error}` });
    return leave();
  }
  const { GenerationConfig, OfflineTts } = sherpa;
  let tts: OfflineTts;
  try {
    tts = await OfflineTts.createAsync({
      model: { ...model, provider, numThreads, debug: 0 },
      maxNumSentences: 1,
      ...(ruleFsts === '' ? {} : { ruleFsts }),
    });
  } catch (error) {
    answer({ type: 'unusable', code: 'engine_failed', message: `the model cannot be loaded: ${error}` });
    return leave();
  }

  const speak = async ({ id, pieces, speaker, speed }: SherpaRequest & { type: 'speak' }): Promise<void> => {
    const state = { cancelled: false };
    running.set(id, state);
    let failure: string | undefined;
    const generationConfig = new GenerationConfig({ sid: speaker, speed, silenceScale: 0.2 });
    for (const text of pieces) {
      if (state.cancelled) break;
      try {
        const onProgress = (): boolean => !state.cancelled;
        const { samples } = await tts.generateAsync({ text, generationConfig, onProgress });
        if (!state.cancelled) answer({ type: 'samples', id, samples: float32ToInt16(samples) });
      } catch (error) {
        // Of a piece without a known word nothing is said; that is for the whole text to judge.
        if (error instanceof Error && NO_AUDIO.test(error.message)) continue;
        // Not the message: it may quote the text.
        failure = 'the model failed on a sentence';
        break;
      }
    }
    running.delete(id);
    answer({ type: 'ended', id, ...(failure === undefined ? {} : { failure }) });
  };

  process.on('message', (request: SherpaRequest) => {
    if (request.type === 'speak') return void speak(request);
    const state = running.get(request.id);
    if (state !== undefined) state.cancelled = true;
  });
  answer({ type: 'loaded', sampleRateHz: tts.sampleRate, speakers: tts.numSpeakers });
}

/** Lets what was said get out first. */
function leave(): void {
  process.disconnect?.();
}

// It lives as long as its worker, which may still be draining when a terminal interrupts both.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
process.once('disconnect', () => process.exit(0));

await load(JSON.parse(process.argv[2] ?? '{}') as SherpaProcessOptions);
