import type { Bus, SessionInspection } from '@parley/bus';
import { type Control, INITIAL_HEARING, type Pulse } from '@parley/protocol';
import { createMetrics, FakeClock } from '@parley/runtime';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { watchControl } from './control-watch.ts';
import { type Pulser, startPulse } from './pulser.ts';

const WORK = { stage: 'reply', turn: 1, attempt: 0 } as const;
const claimOf = (session: string, owner = 'gateway-1', epoch = 1) => ({
  ...{ session, owner, epoch, fence: `fence of ${session}`, ref: WORK, try: 1 },
});

describe('the pulse', () => {
  let clock: FakeClock;
  let pulser: Pulser;
  let sent: { gateway: string; pulse: Pulse }[];
  let say: (message: Control) => void;
  let reconnect: () => void;
  let owners: Record<string, { id: string; epoch: number }>;
  let publish: Bus['pulses']['publish'];

  beforeEach(async () => {
    clock = new FakeClock();
    sent = [];
    owners = {};
    publish = async (gateway, pulse) => void sent.push({ gateway, pulse });
    const control: Bus['control'] = {
      publish: async () => undefined,
      subscribe: async (handler) => {
        say = handler;
        return async () => undefined;
      },
    };
    const inspect = async (session: string): Promise<SessionInspection | undefined> => {
      const owner = owners[session];
      if (owner === undefined) return undefined;
      return {
        ...{ epoch: owner.epoch, owner: { id: owner.id, host: 'here', pid: 1 }, eventCursor: '0-0', audioCursor: 0 },
        ...{ inputSample: 0, generation: 0, hearing: INITIAL_HEARING, work: [] },
      };
    };
    pulser = startPulse({
      bus: {
        process: { id: 'llm-1', host: 'here', pid: 1 },
        pulses: { publish: (gateway, pulse) => publish(gateway, pulse), subscribe: async () => async () => undefined },
        // Only this much of the registry is asked for.
        registry: { inspect } as Bus['registry'],
        onConnection: (listener) => {
          reconnect = () => listener(true);
          return () => undefined;
        },
      },
      ...{ stage: 'llm', clock, control: await watchControl({ bus: { control } }) },
      metrics: createMetrics({ processMetrics: false }),
    });
  });

  const sessionsTo = (gateway: string): string[][] =>
    sent
      .filter((message) => message.gateway === gateway)
      .map(({ pulse }) => pulse.claims.map(({ session }) => session));

  it('says nothing while nothing is held', async () => {
    await clock.advance(1_000);
    expect(sent).toEqual([]);
  });

  it('tells of a claim at once, then every 150 ms, one message for all of a gateway', async () => {
    pulser.holdClaim(claimOf('a'));
    pulser.holdClaim(claimOf('b'));
    pulser.holdClaim(claimOf('c', 'gateway-2'));
    await clock.advance(0);
    expect(sessionsTo('gateway-1')).toEqual([['a', 'b']]);
    expect(sessionsTo('gateway-2')).toEqual([['c']]);
    await clock.advance(450);
    expect(sessionsTo('gateway-1')).toHaveLength(4);
    expect(sent[0]?.pulse).toMatchObject({
      ...{ stage: 'llm', worker: { id: 'llm-1' }, sessions: [] },
      claims: [{ session: 'a', work: 'reply.1.0', try: 1, fence: 'fence of a' }, { session: 'b' }],
    });
  });

  it('asks a lease for its position at every pulse', async () => {
    let heard = 0;
    const position = () => ({ cursor: 5, heard: ++heard * 100 });
    pulser.holdLease({ session: 'a', owner: 'gateway-1', epoch: 1, fence: 'f', position });
    await clock.advance(300);
    expect(sent.map(({ pulse }) => pulse.sessions)).toEqual(
      [100, 200, 300].map((sample) => [{ session: 'a', fence: 'f', cursor: 5, heard: sample }]),
    );
  });

  it('falls silent about what is let go, and altogether when stopped', async () => {
    const letGo = pulser.holdClaim(claimOf('a'));
    pulser.holdClaim(claimOf('b'));
    await clock.advance(0);
    letGo();
    await clock.advance(150);
    expect(sessionsTo('gateway-1')).toEqual([['a', 'b'], ['b']]);
    pulser.stop();
    await clock.advance(1_000);
    expect(sent).toHaveLength(2);
    expect(clock.pendingTimers).toBe(0);
  });

  it('turns to a new owner at once, also to one that came while the claim was made', async () => {
    pulser.holdClaim(claimOf('a'));
    await clock.advance(0);
    say({ session: 'a', owner: 'gateway-2', epoch: 2 });
    say({ session: 'b', owner: 'gateway-3', epoch: 9 });
    pulser.holdClaim(claimOf('b', 'gateway-1', 8));
    await clock.advance(0);
    expect(sessionsTo('gateway-2')).toEqual([['a']]);
    expect(sessionsTo('gateway-3')).toEqual([['b']]);
    say({ session: 'a', owner: 'gateway-1', epoch: 1 });
    await clock.advance(150);
    expect(sessionsTo('gateway-1')).toEqual([['a']]);
    expect(sessionsTo('gateway-2')).toHaveLength(2);
  });

  it('asks for the owners again after Redis was away', async () => {
    pulser.holdClaim(claimOf('a'));
    pulser.holdClaim(claimOf('b'));
    await clock.advance(0);
    owners = { a: { id: 'gateway-2', epoch: 2 } };
    reconnect();
    await vi.waitFor(() => expect(sessionsTo('gateway-2')).toEqual([['a']]));
  });

  it('keeps one pulse waiting while Redis does not answer, and goes on after failures', async () => {
    let waiting = 0;
    let release = (): void => undefined;
    publish = () => {
      waiting += 1;
      return new Promise((_, reject) => {
        release = () => reject(new Error('no answer'));
      });
    };
    pulser.holdClaim(claimOf('a'));
    await clock.advance(1_500);
    expect(waiting).toBe(1);
    release();
    await clock.advance(150);
    expect(waiting).toBe(2);
  });
});
