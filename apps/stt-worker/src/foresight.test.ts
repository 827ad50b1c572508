import { describe, expect, test } from 'vitest';
import { Foresight } from './foresight.ts';

describe('ends that are foreseen', () => {
  test('a text is looked at once in a silence, and again when the recogniser has understood more', () => {
    const foresight = new Foresight();
    expect(foresight.isNew('', true)).toBe(false);
    expect(foresight.isNew('what time', false)).toBe(true);
    expect(foresight.isNew('what time', false)).toBe(false);
    expect(foresight.isNew('what time is it', false)).toBe(true);
    expect(foresight.isNew('what time is it', true)).toBe(true);
  });

  test('only what is likely to be whole is told, and more than that where the session asks for more', () => {
    const foresight = new Foresight();
    expect(foresight.tells(1, 'I would like to', 0.04, 0.5)).toBe(false);
    expect(foresight.tells(1, 'what time is it', 0.93, 0.95)).toBe(false);
    expect(foresight.take(1)).toBeUndefined();
    expect(foresight.tells(1, 'what time is it', 0.93, 0.5)).toBe(true);
    expect(foresight.take(1)).toBe('what time is it');
  });

  test('it is told at most twice in an utterance, whether it was taken back or not', () => {
    const foresight = new Foresight();
    const tell = (utterance: number) => foresight.tells(utterance, 'please stop', 0.95, 0.5);
    expect([tell(1), tell(1), tell(1)]).toEqual([true, true, false]);
    foresight.take(1);
    expect(tell(1)).toBe(false);
    expect(tell(2)).toBe(true);
  });

  test('what was told of another utterance does not stand for this one', () => {
    const foresight = new Foresight();
    foresight.tells(1, 'please stop', 0.95, 0.5);
    expect(foresight.take(2)).toBeUndefined();
    expect(foresight.take(1)).toBeUndefined();
  });
});
