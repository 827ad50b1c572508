import type { Settings } from '@parley/protocol';

/** Ends the text of a reply that the user cut off, in the messages that the model sees. */
export const INTERRUPTED = '—';

const DEFAULT_INSTRUCTIONS = `
You are a friendly, helpful voice assistant. What you write is spoken aloud, and what the user says reaches you through
speech recognition, which makes mistakes: go by what was most likely meant. Keep it short: one to three spoken sentences,
the first of them brief, unless the user asks for more. Write plain sentences as people say them: no markdown, no lists,
headings, emoji, code or web addresses, and numbers, units and abbreviations in the way they are spoken.
`
  .trim()
  .replace(/\s+/g, ' ');

export interface PromptFacts {
  readonly settings: Pick<Settings, 'instructions' | 'language'>;
  readonly now: Date;
  /** IANA name; the machine's when undefined. */
  readonly timeZone: string | undefined;
  /** A reply in the conversation ends in `INTERRUPTED`. */
  readonly hasInterruptedReply: boolean;
}

/** The system message: the session's own instructions or those for a voice assistant, then the facts of the moment. */
export function systemPrompt({ settings, now, timeZone, hasInterruptedReply }: PromptFacts): string {
  const facts = [
    `The user speaks ${languageName(settings.language)}; answer in that language unless asked for another.`,
    ...(hasInterruptedReply
      ? [`A reply of yours that ends in "${INTERRUPTED}" was cut off there: the user has not heard the rest.`]
      : []),
    // Last, so that what stands before it can stay in the server's cache.
    `It is ${timeOf(now, timeZone)}.`,
  ];
  return `${settings.instructions.trim() || DEFAULT_INSTRUCTIONS}\n\n${facts.join(' ')}`;
}

const languageNames = new Intl.DisplayNames('en', { type: 'language' });

function languageName(tag: string): string {
  try {
    return languageNames.of(tag) ?? tag;
  } catch {
    return tag;
  }
}

/** Making one takes longer than all else in a prompt. */
const clocks = new Map<string | undefined, Intl.DateTimeFormat>();

function timeOf(now: Date, timeZone: string | undefined): string {
  const clock =
    clocks.get(timeZone) ??
    new Intl.DateTimeFormat('en-GB', {
      weekday: 'long',
      day: 'numeric',
      month: 'long',
      year: 'numeric',
      hour: '2-digit',
      minute: '2-digit',
      timeZoneName: 'short',
      ...(timeZone === undefined ? {} : { timeZone }),
    });
  clocks.set(timeZone, clock);
  return clock.format(now);
}
