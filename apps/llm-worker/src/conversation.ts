import type { HistoryMessage, Settings } from '@parley/protocol';
import type { ChatMessage } from './language-model.ts';
import { INTERRUPTED, systemPrompt } from './prompt.ts';
import { estimateMessageTokens } from './tokens.ts';

/** Share of the context that a reply may take. */
const MAX_REPLY_SHARE = 0.5;

export interface ConversationParts {
  /** Messages of the session, each with what was heard of it; those of `turn` and later are passed over. */
  readonly history: readonly HistoryMessage[];
  /** The turn to be answered, and what the user said in it. */
  readonly turn: number;
  readonly text: string;
  readonly settings: Pick<Settings, 'instructions' | 'language'>;
  /** Tokens that messages and reply may have together. */
  readonly contextTokens: number;
  readonly maxReplyTokens: number;
  /** Tokens that the definitions of tools take. */
  readonly toolTokens?: number;
  readonly now: Date;
  readonly timeZone: string | undefined;
}

/** What is sent to the engine. */
export interface Conversation {
  readonly messages: readonly ChatMessage[];
  readonly maxReplyTokens: number;
  /** Older turns that did not fit. */
  readonly droppedTurns: number;
  /** Instructions and question alone are longer than the context, by estimate: the engine may refuse them. */
  readonly isTooLong: boolean;
}

/**
 * Puts the messages of a reply together: instructions, as many of the newest turns as fit, and what the user said now.
 * Turns are left out whole, the oldest first. Roles alternate, as many chat templates demand.
 */
export function buildConversation(parts: ConversationParts): Conversation {
  const { contextTokens, turn, text, toolTokens = 0 } = parts;
  const maxReplyTokens = Math.min(parts.maxReplyTokens, Math.floor(contextTokens * MAX_REPLY_SHARE));
  const turns = groupByTurn(parts.history.filter((message) => message.turn < turn));
  // The longer form of the prompt, so that the choice of turns cannot change what they have room in.
  const system = systemPrompt({ ...parts, hasInterruptedReply: true });
  const fixedTokens = estimateMessageTokens(system) + estimateMessageTokens(text);
  let roomTokens = contextTokens - maxReplyTokens - fixedTokens - toolTokens;
  const isTooLong = roomTokens < 0;
  const kept: HistoryMessage[][] = [];
  for (const messages of turns.toReversed()) {
    const tokens = messages.reduce((sum, message) => sum + estimateMessageTokens(message.text), 0);
    if (tokens > roomTokens) break;
    roomTokens -= tokens;
    kept.unshift(messages);
  }
  const told = kept.flat();
  const hasInterruptedReply = told.some((message) => message.role === 'assistant' && message.truncated === true);
  return {
    messages: [
      { role: 'system', content: systemPrompt({ ...parts, hasInterruptedReply }) },
      ...alternating([...told.map(toChatMessage), { role: 'user', content: text }]),
    ],
    maxReplyTokens,
    droppedTurns: turns.length - kept.length,
    isTooLong,
  };
}

function groupByTurn(history: readonly HistoryMessage[]): HistoryMessage[][] {
  const turns = new Map<number, HistoryMessage[]>();
  for (const message of history) turns.set(message.turn, [...(turns.get(message.turn) ?? []), message]);
  return [...turns.values()];
}

function toChatMessage(message: HistoryMessage): ChatMessage {
  const isCut = message.role === 'assistant' && message.truncated === true && message.text.trim() !== '';
  return { role: message.role, content: isCut ? `${message.text.trimEnd()}${INTERRUPTED}` : message.text };
}

/** Leaves out empty messages, such as replies of which nothing was heard, and joins neighbours of the same role. */
function alternating(messages: readonly ChatMessage[]): ChatMessage[] {
  const joined: ChatMessage[] = [];
  for (const message of messages) {
    const before = joined.at(-1);
    if (message.content.trim() === '' && message !== messages.at(-1)) continue;
    if (before?.role === message.role)
      joined.splice(-1, 1, { ...before, content: `${before.content}\n${message.content}` });
    else joined.push(message);
  }
  return joined;
}
