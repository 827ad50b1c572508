import { answerArithmetic } from './arithmetic.ts';
import { numberToWords, ordinalToWords, readNumber } from './number-words.ts';
import { STORY } from './story.ts';

/** What an answer may depend on: nothing is remembered but what the conversation itself says. */
export interface DemoConversation {
  /** What the user said now. */
  readonly text: string;
  /** What the user said before, the oldest first. */
  readonly earlier: readonly string[];
  /** What was answered last, as far as it was heard. */
  readonly lastAnswer: string | undefined;
  readonly now: Date;
  /** IANA name; the machine's when undefined. */
  readonly timeZone: string | undefined;
}

/** Furthest that the demo counts. */
const MAX_COUNT = 100;
/** Most of what was said that is repeated. */
const MAX_REPEATED_CHARS = 200;

type Rule = (said: string, conversation: DemoConversation) => string | undefined;

const says =
  (pattern: RegExp, answer: string | ((conversation: DemoConversation) => string)): Rule =>
  (said, conversation) => {
    if (!pattern.test(said)) return undefined;
    return typeof answer === 'string' ? answer : answer(conversation);
  };

/** The first rule that has an answer gives it: the more specific ones come first. */
const RULES: readonly Rule[] = [
  (_, { text }) => {
    const name = nameIn(text);
    return name === undefined ? undefined : `Nice to meet you, ${name}. I will remember your name while we talk.`;
  },
  says(/\b(?:my name|who i am|who am i)\b/, (conversation) => {
    const name = nameOf(conversation);
    return name === undefined ? 'You have not told me your name yet.' : `Your name is ${name}.`;
  }),
  says(/\b(?:what did i (?:just )?(?:say|ask)|repeat what i said)\b/, ({ earlier }) => {
    const last = earlier.at(-1);
    return last === undefined ? 'You have not said anything before.' : `You said: ${repeated(last)}`;
  }),
  says(/\b(?:say (?:that|it) again|repeat (?:that|it)|what did you say|pardon)\b/, ({ lastAnswer }) =>
    lastAnswer === undefined ? 'I have not said anything yet.' : `I said: ${lastAnswer}`,
  ),
  says(
    /\b(?:who|what) are you\b|\byour name\b|\bare you (?:a |an )?(?:real|human|person|robot|machine|computer|ai)\b/,
    'I am the demo of Parley. I answer by simple rules, offline, without a language model.',
  ),
  says(/\b(?:what can you do|help me|can you help|what can i (?:say|ask))\b/, () => HELP),
  says(/\b(?:what time|the time|what's the time|how late)\b/, (conversation) => `It is ${timeInWords(conversation)}.`),
  says(
    /\b(?:what day|the date|today's date|what date|which day|what year|what month)\b/,
    (conversation) => `Today is ${dateInWords(conversation)}.`,
  ),
  answerCounting,
  answerArithmetic,
  says(/\bstory\b/, STORY),
  says(/\bjoke\b/, 'Why did the computer go to bed early? It had a hard drive that day.'),
  says(/\b(?:weather|rain|sunny)\b/, 'I am only the demo and I am offline, so I cannot see the weather.'),
  says(/\bhow are you\b|\bhow is it going\b|\bhow do you do\b/, 'I am fine, thank you. How are you?'),
  says(/\b(?:thank you|thanks)\b/, 'You are welcome.'),
  says(/\b(?:goodbye|good bye|bye|see you|good night)\b/, (conversation) => `Goodbye${called(conversation)}.`),
  says(
    /\b(?:hello|hi|hey|good (?:morning|afternoon|evening))\b/,
    (conversation) => `Hello${called(conversation)}. I am the demo of Parley. What can I do for you?`,
  ),
  says(
    /^(?:yes|no|okay|ok|sure|right|fine|good|great|i am (?:fine|good|well).*)$/,
    'Good. What else would you like to know?',
  ),
];

const HELP =
  'I am only the demo. I can tell you the time and the date, calculate, count, remember your name, and tell a story. ' +
  'For more, connect me to a language model.';

/** The demo's answer. It depends on the conversation and the time alone. */
export function demoAnswer(conversation: DemoConversation): string {
  const said = normalised(conversation.text);
  if (said === '') return 'I heard nothing. Please say it again.';
  for (const rule of RULES) {
    const answer = rule(said, conversation);
    if (answer !== undefined) return answer;
  }
  return `You said: ${repeated(conversation.text)} I am only the demo and have no better answer to that.`;
}

/** Lower case, without punctuation except what calculations need. */
function normalised(text: string): string {
  return text
    .toLowerCase()
    .replace(/[’]/g, "'")
    .replace(/[^\p{L}\p{N}\s.,'+*/^×÷-]/gu, ' ')
    .replace(/[.,](?!\d)/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();
}

function repeated(text: string): string {
  const flat = text.replace(/\s+/g, ' ').trim();
  const short = flat.length <= MAX_REPEATED_CHARS ? flat : flat.slice(0, MAX_REPEATED_CHARS).replace(/\s\S*$/, '');
  return /[.!?。！？]$/.test(short) ? short : `${short}.`;
}

/** A name that the user gives in one sentence; recognisers write everything in lower case. */
function nameIn(text: string): string | undefined {
  const match = /\b(?:my name is|my name's|call me|i am called|i'm called)\s+([\p{L}'’-]+)/iu.exec(text);
  const name = match?.[1];
  if (name === undefined || /^(?:not|what|a|an|the|when|if|later|back)$/i.test(name)) return undefined;
  return name.charAt(0).toUpperCase() + name.slice(1);
}

/** The name given last. */
function nameOf({ earlier, text }: DemoConversation): string | undefined {
  return [...earlier, text].map(nameIn).findLast((name) => name !== undefined);
}

function called(conversation: DemoConversation): string {
  const name = nameOf(conversation);
  return name === undefined ? '' : `, ${name}`;
}

function answerCounting(said: string): string | undefined {
  const asked = /\bcount (?<down>down|backwards)?(?<range>.*)$/.exec(said)?.groups;
  if (asked === undefined) return undefined;
  const words = (asked.range ?? '').trim().split(' ');
  const numbers: number[] = [];
  for (let at = 0; at < words.length; ) {
    const found = readNumber(words, at);
    if (found !== undefined) numbers.push(Math.round(found.value));
    at += found?.taken ?? 1;
  }
  const [first = 10, second] = numbers;
  const isDown = asked.down !== undefined;
  const [from, to] = second !== undefined ? [first, second] : isDown ? [first, 1] : [1, first];
  const step = from <= to ? 1 : -1;
  const count = Math.min(Math.abs(to - from) + 1, MAX_COUNT);
  const counted = Array.from({ length: count }, (_, index) => numberToWords(from + index * step)).join(', ');
  const rest = count < Math.abs(to - from) + 1 ? ' I would rather stop there.' : '';
  return `${counted.charAt(0).toUpperCase()}${counted.slice(1)}.${rest}`;
}

function timeInWords({ now, timeZone }: DemoConversation): string {
  const { hour, minute } = partsOf(now, timeZone, { hour: 'numeric', minute: 'numeric', hourCycle: 'h23' });
  const hours = Number(hour);
  const minutes = Number(minute);
  const clockHour = numberToWords(hours % 12 === 0 ? 12 : hours % 12);
  const exact = minutes === 0 ? "o'clock" : `${minutes < 10 ? 'oh ' : ''}${numberToWords(minutes)}`;
  const partOfDay = hours < 12 ? 'in the morning' : hours < 18 ? 'in the afternoon' : 'in the evening';
  return `${clockHour} ${exact} ${partOfDay}`;
}

function dateInWords({ now, timeZone }: DemoConversation): string {
  const format = { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' } as const;
  const { weekday, day, month, year } = partsOf(now, timeZone, format);
  return `${weekday}, the ${ordinalToWords(Number(day))} of ${month}, ${numberToWords(Number(year))}`;
}

function partsOf(now: Date, timeZone: string | undefined, format: Intl.DateTimeFormatOptions): Record<string, string> {
  const formatter = new Intl.DateTimeFormat('en', { ...format, ...(timeZone === undefined ? {} : { timeZone }) });
  return Object.fromEntries(formatter.formatToParts(now).map(({ type, value }) => [type, value]));
}
