/** Tokens that a chat template adds around a message. */
const MESSAGE_TOKENS = 4;

const NOT_ASCII = /[^\0-\x7F]/;
const WIDE = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/gu;

/**
 * Tokens of a text, estimated without the model's own tokenizer, which differs from model to model: a token for every 3.5
 * ASCII characters, 1.3 for every Chinese, Japanese or Korean one, and one for every two of other scripts. It is meant
 * to be high rather than low, by about a tenth for English.
 */
export function estimateTokens(text: string): number {
  if (!NOT_ASCII.test(text)) return Math.ceil(text.length / 3.5);
  const wide = text.match(WIDE)?.length ?? 0;
  const ascii = text.replace(/[^\0-\x7F]/g, '').length;
  const other = [...text].length - wide - ascii;
  return Math.ceil(ascii / 3.5 + wide * 1.3 + other / 2);
}

/** Tokens of a message with what surrounds it. */
export const estimateMessageTokens = (content: string): number => estimateTokens(content) + MESSAGE_TOKENS;
