import type { WorkRef } from '@parley/protocol';
import { describe, expect, it } from 'vitest';
import { type Verdict, Watch } from './watch.ts';

const REPLY: WorkRef = { stage: 'reply', turn: 1, attempt: 0 };
const KEY = 'reply.1.0';
const NOBODY = { fence: '', offers: 1 };

type Pool = 'none' | 'busy' | 'free';

/** Lets time pass in ticks of 20 ms; answers what was found, with when. */
function run(watch: Watch, forMs: number, pool: Pool | ((stage: string) => Pool) = 'free'): [number, Verdict][] {
  const found: [number, Verdict][] = [];
  const free = typeof pool === 'function' ? pool : () => pool;
  for (let ms = 20; ms <= forMs; ms += 20) for (const verdict of watch.tick(20, free)) found.push([ms, verdict]);
  return found;
}

/** A watch of a session that is being heard by `f1`. */
function heard(): Watch {
  const watch = new Watch();
  watch.update({ fence: 'f1', offers: 1 }, []);
  watch.listenerPulse('f1', 0);
  return watch;
}

describe('a listener', () => {
  it('without a pulse for 600 ms is silent, and that is said once', () => {
    const verdict = { stage: 'listen', holder: 'f1', try: 1, reason: 'silent' };
    expect(run(heard(), 10_000)).toEqual([[600, verdict]]);
  });

  it('with pulses is left alone, however slowly they come', () => {
    const watch = heard();
    for (let i = 0; i < 20; i += 1) {
      expect(run(watch, 580)).toEqual([]);
      watch.listenerPulse('f1', i);
    }
    expect(watch.audioCursor).toBe(19);
  });

  it('is watched from the moment the session is owned, though it has not been heard of yet', () => {
    const watch = new Watch();
    watch.update({ fence: 'f1', offers: 3 }, []);
    expect(run(watch, 1_000, 'none')).toMatchObject([[600, { holder: 'f1', try: 3, reason: 'silent' }]]);
  });

  it('is not silent because this process stood still', () => {
    const watch = heard();
    expect(watch.tick(30_000, () => 'free')).toEqual([]);
    expect(run(watch, 480)).toEqual([]);
    watch.listenerPulse('f1', 0);
    expect(run(watch, 580)).toEqual([]);
  });

  it('that has been replaced counts for nothing', () => {
    const watch = heard();
    watch.update({ fence: 'f2', offers: 2 }, []);
    for (let ms = 0; ms < 580; ms += 20) {
      watch.listenerPulse('f1', 99_999);
      expect(watch.tick(20, () => 'free')).toEqual([]);
    }
    expect(run(watch, 40)).toMatchObject([[20, { holder: 'f2', reason: 'silent' }]]);
    expect(watch.audioCursor).toBe(0);
  });

  it('starts with a clean slate when the lease moves', () => {
    const watch = heard();
    run(watch, 580);
    watch.update({ fence: 'f2', offers: 1 }, []);
    expect(run(watch, 580)).toEqual([]);
    expect(run(watch, 20)).toHaveLength(1);
  });

  it('that goes by will is watched while it still holds the lease', () => {
    const watch = heard();
    watch.update({ fence: 'f1', offers: 2 }, []);
    expect(run(watch, 1_000)).toMatchObject([[600, { holder: 'f1', try: 2, reason: 'silent' }]]);
  });

  it('is not judged anew by an update that changes nothing', () => {
    const watch = heard();
    run(watch, 400);
    watch.update({ fence: 'f1', offers: 1 }, []);
    expect(run(watch, 200)).toHaveLength(1);
    watch.update({ fence: 'f1', offers: 1 }, []);
    expect(run(watch, 5_000)).toEqual([]);
  });

  it('lost, and its lease not taken by anybody, is offered again with growing patience', () => {
    const watch = heard();
    expect(run(watch, 600)).toHaveLength(1);
    const waits: number[] = [];
    for (let offers = 2; offers <= 10; offers += 1) {
      watch.update({ fence: 'f1', offers }, []);
      const [[ms, verdict] = [0, undefined]] = run(watch, 30_000);
      expect(verdict).toMatchObject({ holder: 'f1', try: offers, reason: 'unclaimed' });
      waits.push(ms);
    }
    expect(waits).toEqual([600, 1_200, 2_400, 4_800, 9_600, 19_200, 19_200, 19_200, 19_200]);
  });
});

describe('an offer that nobody takes', () => {
  it('is offered again after 600 ms where a worker is free', () => {
    const watch = new Watch();
    watch.update(NOBODY, []);
    expect(run(watch, 1_000)).toMatchObject([[600, { stage: 'listen', holder: '', reason: 'unclaimed' }]]);
  });

  it('waits while all workers are busy', () => {
    const watch = new Watch();
    watch.update(NOBODY, [{ ref: REPLY, try: 1 }]);
    expect(run(watch, 60_000, 'busy')).toEqual([]);
    expect(run(watch, 20, 'free')).toHaveLength(2);
  });

  it('is given up after 15 s where there is no worker at all', () => {
    const watch = new Watch();
    watch.update(NOBODY, [{ ref: REPLY, try: 1 }]);
    expect(run(watch, 60_000, 'none')).toMatchObject([
      [15_000, { stage: 'listen', reason: 'no_worker' }],
      [15_000, { stage: 'reply', holder: KEY, reason: 'no_worker' }],
    ]);
  });

  it('is judged by the pool of its own stage', () => {
    const watch = new Watch();
    const clause: WorkRef = { stage: 'speak', turn: 1, attempt: 0, clause: 0 };
    watch.update({ fence: '', offers: 1 }, [
      { ref: REPLY, try: 1 },
      { ref: clause, try: 1 },
    ]);
    const found = run(watch, 1_000, (stage) => (stage === 'speak' ? 'free' : 'busy'));
    expect(found).toMatchObject([[600, { stage: 'speak', holder: 'speak.1.0.0', try: 1 }]]);
  });
});

describe('the holder of a claim', () => {
  function held(): Watch {
    const watch = new Watch();
    watch.update({ fence: '', offers: 0 }, [{ ref: REPLY, try: 1 }]);
    watch.claimPulse(KEY, 1);
    return watch;
  }
  const claims = (watch: Watch, forMs: number): [number, Verdict][] =>
    run(watch, forMs, (stage) => (stage === 'reply' ? 'free' : 'busy'));

  it('without a pulse for 600 ms is silent, once for each try', () => {
    const watch = held();
    expect(claims(watch, 5_000)).toEqual([[600, { stage: 'reply', holder: KEY, try: 1, reason: 'silent' }]]);
    watch.update({ fence: '', offers: 0 }, [{ ref: REPLY, try: 2 }]);
    watch.claimPulse(KEY, 2);
    expect(claims(watch, 5_000)).toMatchObject([[600, { try: 2, reason: 'silent' }]]);
  });

  it('of an older try counts for nothing', () => {
    const watch = held();
    watch.update({ fence: '', offers: 0 }, [{ ref: REPLY, try: 2 }]);
    watch.claimPulse(KEY, 1);
    expect(claims(watch, 1_000)).toMatchObject([[600, { try: 2, reason: 'unclaimed' }]]);
  });

  it('of work that is done, or never was, counts for nothing', () => {
    const watch = held();
    watch.claimPulse('reply.9.9', 1);
    watch.update({ fence: '', offers: 0 }, []);
    watch.claimPulse(KEY, 1);
    expect(claims(watch, 5_000)).toEqual([]);
  });

  it('keeps its patience over the tries that nobody took', () => {
    const watch = new Watch();
    const waits: number[] = [];
    for (let number = 1; number <= 3; number += 1) {
      watch.update({ fence: '', offers: 0 }, [{ ref: REPLY, try: number }]);
      waits.push(claims(watch, 10_000)[0]?.[0] ?? 0);
    }
    expect(waits).toEqual([600, 1_200, 2_400]);
  });
});

describe('a verdict', () => {
  it('that could not be written is due again', () => {
    const watch = heard();
    const [[, verdict] = []] = run(watch, 600);
    if (!verdict) throw new Error('no verdict');
    expect(run(watch, 1_000)).toEqual([]);
    watch.retract(verdict);
    expect(run(watch, 1_000)).toEqual([[20, verdict]]);
  });

  it('that could not be written is no longer due where the holder has come back or changed', () => {
    const watch = heard();
    const [[, verdict] = []] = run(watch, 600);
    if (!verdict) throw new Error('no verdict');
    watch.retract(verdict);
    watch.listenerPulse('f1', 0);
    expect(run(watch, 580)).toEqual([]);
    watch.update({ fence: 'f2', offers: 1 }, []);
    watch.retract(verdict);
    expect(run(watch, 580)).toEqual([]);
  });
});
