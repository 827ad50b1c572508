import type { Bus } from '@parley/bus';
import type { Control } from '@parley/protocol';
import { describe, expect, it } from 'vitest';
import { type ControlWatch, watchControl } from './control-watch.ts';

const REPLY = { turn: 1, attempt: 0 };

interface Lane {
  readonly watch: ControlWatch;
  readonly isSubscribed: () => boolean;
  say(message: Control): void;
}

/** A watch over a control lane in memory. */
async function openLane(): Promise<Lane> {
  let handler: ((message: Control) => void) | undefined;
  const control: Bus['control'] = {
    publish: async (message) => handler?.(message),
    subscribe: async (subscriber) => {
      handler = subscriber;
      return async () => {
        handler = undefined;
      };
    },
  };
  const watch = await watchControl({ bus: { control } });
  return { watch, isSubscribed: () => handler !== undefined, say: (message) => handler?.(message) };
}

describe('the control watch', () => {
  it('tells followers of a session, and only of theirs, until they leave', async () => {
    const { watch, say } = await openLane();
    const heard: string[] = [];
    const leave = watch.follow('a', {
      onCancel: (replies) => heard.push(`cancel ${JSON.stringify(replies)}`),
      onReleased: ({ turn, attempt }) => heard.push(`released ${turn}.${attempt}`),
      onOwner: (owner, epoch) => heard.push(`owner ${owner} ${epoch}`),
      onClosed: () => heard.push('closed'),
    });
    watch.follow('a', { onClosed: () => heard.push('closed for another') });
    say({ session: 'a', cancel: [REPLY] });
    say({ session: 'b', cancel: [REPLY] });
    say({ session: 'a', released: REPLY });
    say({ session: 'a', owner: 'gateway-2', epoch: 2 });
    leave();
    say({ session: 'a', closed: true });
    expect(heard).toEqual([
      'cancel [{"turn":1,"attempt":0}]',
      'released 1.0',
      'owner gateway-2 2',
      'closed for another',
    ]);
  });

  it('remembers what came before anybody followed', async () => {
    const { watch, say } = await openLane();
    expect(watch.isCancelled('a', REPLY)).toBe(false);
    say({ session: 'a', cancel: [REPLY] });
    say({ session: 'a', released: { turn: 2, attempt: 0 } });
    say({ session: 'a', owner: 'gateway-2', epoch: 7 });
    say({ session: 'b', closed: true });
    expect(watch.isCancelled('a', REPLY)).toBe(true);
    expect(watch.isCancelled('a', { turn: 1, attempt: 1 })).toBe(false);
    expect(watch.isReleased('a', { turn: 2, attempt: 0 })).toBe(true);
    expect(watch.isReleased('a', REPLY)).toBe(false);
    expect(watch.newestOwner('a')).toEqual({ owner: 'gateway-2', epoch: 7 });
    expect([watch.isClosed('a'), watch.isClosed('b')]).toEqual([false, true]);
  });

  it('believes the newest reign, whatever comes late', async () => {
    const { watch, say } = await openLane();
    const owners: string[] = [];
    watch.follow('a', { onOwner: (owner) => owners.push(owner) });
    say({ session: 'a', owner: 'gateway-3', epoch: 3 });
    say({ session: 'a', owner: 'gateway-2', epoch: 2 });
    expect(owners).toEqual(['gateway-3']);
    expect(watch.newestOwner('a')).toEqual({ owner: 'gateway-3', epoch: 3 });
  });

  it('forgets the session heard of least lately, and the oldest cancels of one', async () => {
    const { watch, say } = await openLane();
    say({ session: 'first', cancel: [REPLY] });
    say({ session: 'second', cancel: [REPLY] });
    for (let i = 0; i < 9_998; i++) say({ session: `s${i}`, cancel: [REPLY] });
    expect(watch.isCancelled('first', REPLY)).toBe(true);
    say({ session: 'first', cancel: [{ turn: 2, attempt: 0 }] });
    say({ session: 'last', cancel: [REPLY] });
    expect(watch.isCancelled('first', REPLY)).toBe(true);
    expect(watch.isCancelled('second', REPLY)).toBe(false);

    const cancel = Array.from({ length: 17 }, (_, turn) => ({ turn: turn + 1, attempt: 0 }));
    say({ session: 'long', cancel });
    expect(cancel.map((reply) => watch.isCancelled('long', reply))).toEqual([
      false,
      ...Array.from({ length: 16 }, () => true),
    ]);
  });

  it('ends its subscription', async () => {
    const { watch, isSubscribed } = await openLane();
    expect(isSubscribed()).toBe(true);
    await watch.close();
    expect(isSubscribed()).toBe(false);
  });
});
