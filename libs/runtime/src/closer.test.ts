import { expect, test } from 'vitest';
import { Closer } from './closer.ts';

test('releases newest first, waiting for each', async () => {
  const closer = new Closer();
  const order: string[] = [];
  closer.defer('first', () => void order.push('first'));
  closer.defer('second', async () => {
    await Promise.resolve();
    order.push('second');
  });
  await closer.close();
  expect(order).toEqual(['second', 'first']);
});

test('goes on past failures and reports them together', async () => {
  const closer = new Closer();
  let released = false;
  closer.defer('kept', () => {
    released = true;
  });
  closer.defer('socket', () => Promise.reject(new Error('gone')));
  closer.defer('file', () => {
    throw new Error('locked');
  });
  const failure = await closer.close().catch((error: unknown) => error);
  expect(released).toBe(true);
  expect(failure).toBeInstanceOf(AggregateError);
  expect(String(failure)).toContain('closing file failed; closing socket failed');
});

test('closes once, however often it is asked, and takes nothing new', async () => {
  const closer = new Closer();
  let releases = 0;
  closer.defer('thing', () => {
    releases += 1;
  });
  await Promise.all([closer.close(), closer.close()]);
  expect(releases).toBe(1);
  expect(() => closer.defer('late', () => {})).toThrow('already closing');
});
