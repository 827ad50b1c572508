import type { HistoryMessage } from '@parley/protocol';
import { describe, expect, it } from 'vitest';
import { buildConversation, type ConversationParts } from './conversation.ts';
import { estimateTokens } from './tokens.ts';

const settings = { instructions: '', language: 'en' };
const user = (turn: number, text: string): HistoryMessage => ({ role: 'user', turn, text });
const assistant = (turn: number, text: string, truncated?: boolean): HistoryMessage => ({
  ...{ role: 'assistant', turn, attempt: 0, text },
  ...(truncated === undefined ? {} : { truncated }),
});

function build(history: readonly HistoryMessage[], parts: Partial<ConversationParts> = {}) {
  return buildConversation({
    ...{ history, turn: 9, text: 'And now?', settings, contextTokens: 4_096, maxReplyTokens: 800 },
    ...{ now: new Date('2026-11-21T14:05:00Z'), timeZone: 'UTC' },
    ...parts,
  });
}

const dialogue = (...args: Parameters<typeof build>) =>
  build(...args)
    .messages.slice(1)
    .map(({ role, content }) => `${role}: ${content}`);
const systemOf = (...args: Parameters<typeof build>) => build(...args).messages[0]?.content;

describe('the conversation sent to an engine', () => {
  it('holds the earlier turns in order, then what was said now', () => {
    expect(dialogue([user(1, 'Hi.'), assistant(1, 'Hello.'), user(2, 'Why?'), assistant(2, 'Because.')])).toEqual([
      'user: Hi.',
      'assistant: Hello.',
      'user: Why?',
      'assistant: Because.',
      'user: And now?',
    ]);
  });

  it('does not say twice what the history holds of this turn already', () => {
    expect(dialogue([user(1, 'Hi.'), assistant(1, 'Hello.'), user(2, 'And now?')], { turn: 2 })).toEqual([
      'user: Hi.',
      'assistant: Hello.',
      'user: And now?',
    ]);
  });

  it('holds of a reply that was cut off only what was heard, and says so', () => {
    const history = [user(1, 'Tell me a story.'), assistant(1, 'Once upon a time ', true)];
    expect(dialogue(history)).toEqual(['user: Tell me a story.', 'assistant: Once upon a time—', 'user: And now?']);
    expect(systemOf(history)).toContain('the user has not heard the rest');
    expect(systemOf([])).not.toContain('heard the rest');
  });

  it('leaves out a reply of which nothing was heard, and keeps the roles alternating', () => {
    expect(dialogue([user(1, 'Wait.'), assistant(1, '', true), user(2, 'No.'), user(3, 'Stop.')])).toEqual([
      'user: Wait.\nNo.\nStop.\nAnd now?',
    ]);
  });

  it('leaves out the oldest turns, whole, when the context is full', () => {
    const history = Array.from({ length: 8 }, (_, index) => [
      user(index + 1, `Question ${index + 1}. ${'word '.repeat(60)}`),
      assistant(index + 1, `Answer ${index + 1}.`),
    ]).flat();
    const { messages, droppedTurns, isTooLong } = build(history, { contextTokens: 700, maxReplyTokens: 200 });
    expect(isTooLong).toBe(false);
    expect(droppedTurns).toBeGreaterThan(0);
    const kept = messages.slice(1).map(({ content }) => content);
    expect(kept.at(-1)).toBe('And now?');
    expect(kept.at(-2)).toBe('Answer 8.');
    expect(kept[0]).toMatch(new RegExp(`^Question ${droppedTurns + 1}\\.`));
    expect(messages.length).toBe(2 + 2 * (8 - droppedTurns));
    const tokens = messages.reduce((sum, { content }) => sum + estimateTokens(content), 0);
    expect(tokens + 200).toBeLessThanOrEqual(700);
  });

  it('keeps no older turn where a newer one did not fit', () => {
    const history = [user(1, 'Short.'), assistant(1, 'Yes.'), user(2, 'word '.repeat(5_000)), assistant(2, 'I see.')];
    expect(dialogue(history)).toEqual(['user: And now?']);
  });

  it('says when instructions and question alone are too long, and sends them all the same', () => {
    const { messages, isTooLong } = build([user(1, 'Hi.')], { text: 'long '.repeat(3_000) });
    expect(isTooLong).toBe(true);
    expect(messages).toHaveLength(2);
    expect(messages[1]?.content).toHaveLength(15_000);
  });

  it('gives the reply at most half of the context', () => {
    expect(build([], { contextTokens: 1_000, maxReplyTokens: 800 }).maxReplyTokens).toBe(500);
    expect(build([], { contextTokens: 8_000, maxReplyTokens: 800 }).maxReplyTokens).toBe(800);
  });

  it('instructs for speech, in the language of the user, with the time', () => {
    const system = systemOf([], { settings: { instructions: '', language: 'de-AT' } });
    expect(system).toContain('spoken aloud');
    expect(system).toContain('Austrian German');
    expect(system).toMatch(/Saturday,? 21 November 2026.* 14:05 UTC/);
  });

  it("has the session's own instructions in place of the default ones", () => {
    const system = systemOf([], { settings: { instructions: 'You are a pirate.', language: 'en' } });
    expect(system?.startsWith('You are a pirate.\n\n')).toBe(true);
    expect(system).not.toContain('voice assistant');
  });
});

describe('the estimate of tokens', () => {
  it.each([
    ['', 0, 0],
    ['The quick brown fox jumps over the lazy dog.', 10, 14],
    ['今天天气很好，我们去公园散步吧。', 12, 24],
    ['Сегодня хорошая погода, пойдём гулять.', 10, 22],
  ])('of %j lies between %i and %i', (text, least, most) => {
    expect(estimateTokens(text)).toBeGreaterThanOrEqual(least);
    expect(estimateTokens(text)).toBeLessThanOrEqual(most);
  });
});
