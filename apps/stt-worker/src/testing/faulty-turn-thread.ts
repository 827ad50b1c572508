import { parentPort } from 'node:worker_threads';
import type { SmartTurnAnswer, SmartTurnQuestion } from '../turn-end/smart-turn-thread.ts';
import { FAULTS } from './turn-faults.ts';

const SLOW_MS = 200;

/** An end-of-turn thread for tests: the number of samples asked about says what it does with the question. */
const tell = (answer: SmartTurnAnswer): void => parentPort?.postMessage(answer);

parentPort?.on('message', ({ pcm }: SmartTurnQuestion) => {
  if (pcm.length === FAULTS.throw) throw new Error('the model broke');
  if (pcm.length === FAULTS.exit) process.exit(7);
  if (pcm.length === FAULTS.slow) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, SLOW_MS);
  tell({ type: 'scored', probability: 0.25 });
});
tell({ type: 'ready' });
