import { connectToWorker } from '../recognizers/engine-side.ts';

/** An engine for tests that understands everything as `heard`: `fault` says what an abandon sets off. */
const { data, tell, listen } = connectToWorker();
const { fault } = data as { readonly fault: 'throw' | 'exit' | 'hang' | 'abort' | 'unusable' };

if (fault === 'unusable') tell({ type: 'unusable', code: 'engine_missing', message: 'there is no engine' });
else tell({ type: 'ready' });

listen((message) => {
  if (message.type === 'accept') tell({ type: 'decoded', stream: message.stream, samples: message.samples.length });
  if (message.type === 'settle') tell({ type: 'settled', stream: message.stream, segment: 0, text: 'heard' });
  if (message.type !== 'abandon') return;
  if (fault === 'throw') throw new Error('the engine broke');
  if (fault === 'exit') process.exit(7);
  if (fault === 'hang') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  // As native code does that meets something unexpected.
  if (fault === 'abort') process.abort();
});
