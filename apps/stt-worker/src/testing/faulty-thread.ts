import { parentPort, workerData } from 'node:worker_threads';
import type { FromThread, ToThread } from '../recognizers/thread-messages.ts';

/** An engine's thread for tests that does what it hears: `fault` says what an abandon sets off. */
const { fault } = workerData as { readonly fault: 'throw' | 'exit' | 'hang' | 'unusable' };
const tell = (message: FromThread): void => parentPort?.postMessage(message);

if (fault === 'unusable') tell({ type: 'unusable', code: 'engine_missing', message: 'there is no engine' });
else tell({ type: 'ready' });

parentPort?.on('message', (message: ToThread) => {
  if (message.type === 'accept') tell({ type: 'decoded', stream: message.stream, samples: message.samples.length });
  if (message.type === 'settle') tell({ type: 'settled', stream: message.stream, segment: 0, text: 'heard' });
  if (message.type !== 'abandon') return;
  if (fault === 'throw') throw new Error('the engine broke');
  if (fault === 'exit') process.exit(7);
  if (fault === 'hang') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
});
