import { parentPort, workerData } from 'node:worker_threads';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { SMART_TURN_BANDS, SMART_TURN_FRAMES, SMART_TURN_SAMPLES, SmartTurnFeatures } from './smart-turn-features.ts';

/** What the thread is told at its start. */
export interface SmartTurnThreadData {
  readonly modelPath: string;
}

/** A question: 16 kHz PCM of a turn up to a short silence. */
export interface SmartTurnQuestion {
  readonly pcm: Int16Array;
}

/** Questions are answered in order. */
export type SmartTurnAnswer =
  | { readonly type: 'ready' }
  | { readonly type: 'unusable'; readonly message: string }
  | { readonly type: 'scored'; readonly probability: number };

const port = parentPort;
if (port === null) throw new Error('this module runs in a worker thread');
const tell = (answer: SmartTurnAnswer): void => port.postMessage(answer);

const { modelPath } = workerData as SmartTurnThreadData;
const features = new SmartTurnFeatures();

try {
  const session = await InferenceSession.create(modelPath, {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    logSeverityLevel: 3,
  });
  const score = async (pcm: Int16Array): Promise<number> => {
    const input = new Tensor('float32', features.compute(pcm), [1, SMART_TURN_BANDS, SMART_TURN_FRAMES]);
    const { logits } = await session.run({ input_features: input });
    // A probability, in spite of its name: the graph ends with the sigmoid.
    const probability = (logits?.data as Float32Array | undefined)?.[0];
    if (probability === undefined || !(probability >= 0 && probability <= 1)) {
      throw new Error('the model does not answer as Smart Turn v3 does');
    }
    return probability;
  };
  // So much that the features are warm too: nobody waits for them yet.
  await score(new Int16Array(SMART_TURN_SAMPLES));
  let last = Promise.resolve();
  port.on('message', ({ pcm }: SmartTurnQuestion) => {
    last = last.then(async () => tell({ type: 'scored', probability: await score(pcm) }));
  });
  tell({ type: 'ready' });
} catch (error) {
  tell({ type: 'unusable', message: error instanceof Error ? error.message : String(error) });
}
