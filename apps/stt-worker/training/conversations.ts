import { readFileSync } from 'node:fs';
import { plainWords, type Stretch } from './examples.ts';

/** The data set `chitchat-dataset`: conversations of turns of messages. */
type Conversations = Readonly<Record<string, { readonly messages: readonly (readonly Message[])[] }>>;
interface Message {
  readonly text: string;
}

/** Of longer turns that were typed hardly any would be spoken. */
const MAX_STRETCHES = 2;
const MAX_WORDS = 40;
const SENTENCE_WEIGHT = 1;
const CLAUSE_WEIGHT = 0.5;
const CLAUSE_END = /(?<=[.!?])\s+|(?<=[,;:])\s+|\s+[-–—]+\s+/u;
const SENTENCE_END = /[.!?]["')]*$/u;
/** What is typed and not said. */
const UNSPOKEN = /^(lol|lmao|xd|haha\w*|hehe\w*|hah|https?)$/u;
/** What is typed for what is said. */
const SPOKEN: Readonly<Record<string, string>> = {
  ...{ im: "i'm", ive: "i've", dont: "don't", doesnt: "doesn't", didnt: "didn't", cant: "can't", wont: "won't" },
  ...{ isnt: "isn't", wasnt: "wasn't", havent: "haven't", thats: "that's", whats: "what's", youre: "you're" },
  ...{ theyre: "they're", u: 'you', ur: 'your', wanna: 'want to', gonna: 'going to' },
};

/** The turns of the conversations, cut where their writers could have paused had they spoken. */
export function readConversations(file: string): Stretch[][] {
  const conversations = JSON.parse(readFileSync(file, 'utf8')) as Conversations;
  const turns = Object.values(conversations).flatMap(({ messages }) => messages);
  return turns
    .map((messages) => messages.flatMap(({ text }) => stretchesOf(text)))
    .filter((stretches) => stretches.length > 0 && stretches.length <= MAX_STRETCHES)
    .filter((stretches) => stretches.reduce((sum, { words }) => sum + words.length, 0) <= MAX_WORDS);
}

function stretchesOf(message: string): Stretch[] {
  const parts = message.split(CLAUSE_END);
  const stretches = parts.map((part, index) => {
    const isSentence = index === parts.length - 1 || SENTENCE_END.test(part.trim());
    const words = plainWords(part.toLowerCase().replace(/[’`]/gu, "'")).filter((word) => !UNSPOKEN.test(word));
    return {
      words: words.flatMap((word) => (SPOKEN[word] ?? word).split(' ')),
      weight: isSentence ? SENTENCE_WEIGHT : CLAUSE_WEIGHT,
    };
  });
  return stretches.filter(({ words }) => words.length > 0);
}
