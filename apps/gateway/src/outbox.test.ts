import type { WorkQueue, WorkQueues } from '@parley/bus';
import { type QueueName, VoiceError } from '@parley/protocol';
import { FakeClock } from '@parley/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Outbox, outboxEntry, workJobId } from './outbox.ts';

const SESSION = 'session-1';

describe('a command in the outbox', () => {
  it('is an offer of listening', () => {
    const [id, json] = outboxEntry(SESSION, { queue: 'listen', number: 3, expect: 'f1' });
    expect(id).toBe('session-1.listen.3');
    expect(JSON.parse(json)).toEqual({ queue: 'listen', job: { session: SESSION, expect: 'f1' } });
  });

  it('is an offer of a reply', () => {
    const ref = { stage: 'reply', turn: 2, attempt: 1 } as const;
    const [id, json] = outboxEntry(SESSION, { queue: 'reply', ref, try: 4, deadlineMs: 99.5, trace: 't' });
    expect(id).toBe(workJobId(SESSION, ref, 4));
    expect(id).toBe('session-1.reply.2.1.4');
    const job = { session: SESSION, turn: 2, attempt: 1, try: 4, deadlineMs: 99.5, trace: 't' };
    expect(JSON.parse(json)).toEqual({ queue: 'reply', job });
  });

  it('is an offer of a clause', () => {
    const ref = { stage: 'speak', turn: 2, attempt: 1, clause: 7 } as const;
    const [id, json] = outboxEntry(SESSION, { queue: 'speak', ref, try: 1, deadlineMs: 5 });
    expect(id).toBe('session-1.speak.2.1.7.1');
    const job = { session: SESSION, turn: 2, attempt: 1, clause: 7, try: 1, deadlineMs: 5 };
    expect(JSON.parse(json)).toEqual({ queue: 'speak', job });
  });

  it('never has a character that the queue refuses in an id', () => {
    const [id] = outboxEntry(SESSION, { queue: 'listen', number: 1, expect: '' });
    expect(id).not.toContain(':');
  });
});

const listen = (number: number) => outboxEntry(SESSION, { queue: 'listen', number, expect: '' });

describe('the outbox', () => {
  let clock: FakeClock;
  let outbox: Outbox;
  let offered: string[];
  let failures: unknown[];
  /** What the queues do with an offer. */
  let take: (id: string) => Promise<void>;

  beforeEach(() => {
    clock = new FakeClock();
    offered = [];
    failures = [];
    take = async () => undefined;
    const queue = <Q extends QueueName>(name: Q): WorkQueue<Q> => ({
      async offer(id) {
        await take(id);
        offered.push(`${name} ${id}`);
      },
      remove: async () => undefined,
      depth: async () => offered.length,
      take: () => Promise.reject(new Error('nobody takes here')),
    });
    const queues: WorkQueues = { listen: queue('listen'), reply: queue('reply'), speak: queue('speak') };
    outbox = new Outbox(queues, clock, (reason) => failures.push(reason));
  });
  afterEach(async () => {
    await outbox.close();
    expect(clock.pendingTimers).toBe(0);
  });

  it('brings each command into its queue, in order, and tells which are there', async () => {
    const reply = { stage: 'reply', turn: 1, attempt: 0 } as const;
    const speak = { stage: 'speak', turn: 1, attempt: 0, clause: 0 } as const;
    const commands = [
      listen(1),
      outboxEntry(SESSION, { queue: 'reply', ref: reply, try: 1, deadlineMs: 0 }),
      outboxEntry(SESSION, { queue: 'speak', ref: speak, try: 1, deadlineMs: 0 }),
    ];
    outbox.add(commands);
    await clock.advance(0);
    expect(offered).toEqual([
      'listen session-1.listen.1',
      'reply session-1.reply.1.0.1',
      'speak session-1.speak.1.0.0.1',
    ]);
    expect(outbox.hasDone).toBe(true);
    expect(outbox.takeDone()).toEqual(commands.map(([id]) => id));
    expect(outbox.hasDone).toBe(false);
  });

  it('takes up what is added while it works, and what comes just as it ends', async () => {
    let added = 1;
    take = async () => {
      await Promise.resolve();
      if (added >= 5) return;
      added += 1;
      outbox.add([listen(added)]);
    };
    outbox.add([listen(1)]);
    await clock.advance(0);
    expect(offered).toHaveLength(5);
    // In the microtasks around the end of a round, where a promise has been decided and not yet settled.
    for (let delay = 0; delay < 12; delay += 1) {
      outbox.add([listen(100 + delay)]);
      for (let i = 0; i < delay; i += 1) await Promise.resolve();
      outbox.add([listen(200 + delay)]);
      await clock.advance(0);
      expect(offered).toContain(`listen session-1.listen.${200 + delay}`);
    }
  });

  it('tries again while Redis is away, ever less often, and loses nothing', async () => {
    let calls = 0;
    let away = true;
    take = async () => {
      calls += 1;
      if (away) throw new VoiceError('bus_unavailable');
    };
    outbox.add([listen(1), listen(2)]);
    await clock.advance(10_000);
    expect(calls).toBeGreaterThan(15);
    expect(calls).toBeLessThan(40);
    expect(outbox.hasDone).toBe(false);
    away = false;
    await clock.advance(500);
    expect(offered).toEqual(['listen session-1.listen.1', 'listen session-1.listen.2']);
  });

  it('does not get stuck on a command that a queue refuses for good', async () => {
    take = async (id) => {
      if (id.endsWith('.1')) throw new VoiceError('internal');
    };
    outbox.add([listen(1), ['broken', '{'], ['odd', '{"queue":"other","job":{}}'], listen(2)]);
    await clock.advance(0);
    expect(offered).toEqual(['listen session-1.listen.2']);
    expect(outbox.takeDone()).toEqual(['session-1.listen.1', 'broken', 'odd', 'session-1.listen.2']);
    expect(failures.length).toBeGreaterThanOrEqual(2);
  });

  it('holds a bounded number, and leaves the rest in Redis', async () => {
    take = () => Promise.reject(new VoiceError('bus_unavailable'));
    outbox.add(Array.from({ length: 1_000 }, (_, i) => listen(i)));
    take = async () => undefined;
    await clock.advance(1_000);
    expect(offered).toHaveLength(64);
  });

  it('forgets a command only once', async () => {
    outbox.add([listen(1), listen(2)]);
    await clock.advance(0);
    expect(outbox.takeDone()).toEqual(['session-1.listen.1', 'session-1.listen.2']);
    expect(outbox.takeDone()).toEqual([]);
    outbox.add([listen(3)]);
    await clock.advance(0);
    expect(outbox.takeDone()).toEqual(['session-1.listen.3']);
  });

  it('ends when it is closed, though Redis is away', async () => {
    take = () => Promise.reject(new VoiceError('bus_unavailable'));
    outbox.add([listen(1)]);
    await clock.advance(100);
    const closed = outbox.close();
    await clock.advance(500);
    await closed;
    outbox.add([listen(2)]);
    await clock.advance(1_000);
    expect(offered).toEqual([]);
  });
});
