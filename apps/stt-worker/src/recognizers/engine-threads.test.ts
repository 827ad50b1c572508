import { expect, onTestFinished, test, vi } from 'vitest';
import { EngineThreads } from './engine-threads.ts';

async function start(fault: 'throw' | 'exit' | 'hang' | 'abort' | 'unusable', isolated = false) {
  const troubles: Error[] = [];
  const engine = await EngineThreads.start({
    ...{ name: 'faulty', languages: ['en'], slots: 4, cancels: 'at_once', threads: 1, stallTimeoutMs: 300, isolated },
    entry: new URL('../testing/faulty-thread.ts', import.meta.url),
    workerData: { fault },
    onTrouble: (error) => troubles.push(error),
  });
  onTestFinished(() => engine.close());
  return { engine, troubles };
}

test.each([
  ['thread', 'throw', 'engine_failed'],
  ['thread', 'exit', 'engine_failed'],
  ['thread', 'hang', 'engine_timeout'],
  ['process', 'throw', 'engine_failed'],
  ['process', 'exit', 'engine_failed'],
  ['process', 'hang', 'engine_timeout'],
  ['process', 'abort', 'engine_failed'],
] as const)('a %s that ends by %s fails its sessions with %s, and is replaced', async (place, fault, code) => {
  const { engine, troubles } = await start(fault, place === 'process');
  const [settling, idle] = [await engine.open(), await engine.open()];
  const failed = new Promise((resolve) => idle.onFailure(resolve));
  settling.abandon();
  const settled = settling.settle();
  settled.catch(() => undefined);
  await expect(settled).rejects.toMatchObject({ code });
  expect(await failed).toMatchObject({ code });
  await expect(idle.settle()).rejects.toMatchObject({ code });
  idle.accept(new Int16Array(10));
  expect(troubles).toHaveLength(1);
  const next = await vi.waitFor(() => engine.open(), { timeout: 5_000 });
  next.accept(new Int16Array(10));
  expect(await next.settle()).toBe('heard');
});

test.each([false, true])('one that says that it cannot work is not tried again (isolated: %s)', async (isolated) => {
  await expect(start('unusable', isolated)).rejects.toMatchObject({
    code: 'engine_missing',
    message: 'there is no engine',
  });
});

test('the caller keeps samples that are part of something larger', async () => {
  const { engine } = await start('throw');
  const stream = await engine.open();
  const samples = new Int16Array(100).fill(7);
  stream.accept(samples.subarray(0, 50));
  expect(samples[0]).toBe(7);
  await vi.waitFor(() => expect(stream.backlogMs).toBe(0));
});
