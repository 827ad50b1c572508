import { describe, expect, it } from 'vitest';
import { Load } from './load.ts';

describe('the load of a worker', () => {
  it('is nothing to wait for while a slot is free', () => {
    const load = new Load(2);
    load.started();
    load.ended(800);
    load.started();
    expect(load.busy).toBe(1);
    expect(load.predictedWaitMs).toBe(0);
  });

  it('predicts the time after which the first of its slots becomes free', () => {
    const load = new Load(4);
    for (let i = 0; i < 5; i++) load.started();
    load.ended(800);
    expect(load.busy).toBe(4);
    expect(load.predictedWaitMs).toBe(200);
  });

  it('follows the time to the first result, smoothed', () => {
    const load = new Load(1);
    expect(load.latencyMs).toBe(0);
    load.firstResult(100);
    expect(load.latencyMs).toBe(100);
    load.firstResult(200);
    expect(load.latencyMs).toBe(120);
    for (let i = 0; i < 50; i++) load.firstResult(200);
    expect(load.latencyMs).toBe(200);
  });
});
