import { expect, onTestFinished, test, vi } from 'vitest';
import { WorkLoop } from './work-loop.ts';

/** Turns of the event loop, after each of which something happens. */
function everyTurn(act: (turn: number) => void): void {
  let turn = 0;
  let immediate = setImmediate(function again() {
    act(turn);
    turn += 1;
    immediate = setImmediate(again);
  });
  onTestFinished(() => clearImmediate(immediate));
}

test('what is sent together is taken in before the first piece of work, and each piece is done once', async () => {
  const log: string[] = [];
  let pieces = 3;
  const loop = new WorkLoop(() => {
    if (pieces === 0) return false;
    log.push(`work ${pieces}`);
    pieces -= 1;
    return true;
  });
  everyTurn((turn) => {
    if (turn >= 5) return;
    log.push('message');
    loop.wake();
  });
  await vi.waitFor(() => expect(pieces).toBe(0));
  expect(log).toEqual([...Array.from({ length: 5 }, () => 'message'), 'work 3', 'work 2', 'work 1']);
  pieces = 1;
  loop.wake();
  await vi.waitFor(() => expect(log.at(-1)).toBe('work 1'));
});

test('between two pieces what came during the first is taken in', async () => {
  const log: string[] = [];
  const loop = new WorkLoop(() => {
    log.push('work');
    if (log.length === 1) setImmediate(() => log.push('message'));
    return log.length < 3;
  });
  loop.wake();
  await vi.waitFor(() => expect(log).toHaveLength(3));
  expect(log).toEqual(['work', 'message', 'work']);
});

test('messages without end do not keep it from its work', async () => {
  let pieces = 0;
  const loop = new WorkLoop(() => {
    pieces += 1;
    return true;
  });
  everyTurn(() => loop.wake());
  await vi.waitFor(() => expect(pieces).toBeGreaterThan(3));
});
