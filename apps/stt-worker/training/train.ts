import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { encodeWeights } from '../src/turn-end/word-model.ts';
import { readConversations } from './conversations.ts';
import { type Example, examplesOf } from './examples.ts';
import { calibrate, packed, type Regression, rankedRight, regress, type Scored, scoreOf } from './regression.ts';
import { readUtterances, stretchesOf, weightOf } from './utterances.ts';

const USAGE = `Learns from turns with their pauses how whole turns end, and writes src/turn-end/word-models/<language>.bin.

  node training/train.ts <language> [--conversations dataset.json]

  <language>        en, de, es, …: reads training/corpus/<language>.jsonl
  --conversations   dataset.json of the PyPI package chitchat-dataset 0.9.0, for English
`;

/** A turn of a typed conversation counts little beside one of the corpus, which is of what is said to a voice agent. */
const CONVERSATION_WEIGHT = 0.02;
/** One of so many is kept to look at afterwards. */
const TEST_EVERY = 20;
const FOLDS = [0, 1] as const;

function train(language: string, conversations: string | undefined): void {
  const corpus = readUtterances(new URL(`corpus/${language}.jsonl`, import.meta.url));
  const examples = corpus.flatMap((utterance, turn) =>
    examplesOf(stretchesOf(utterance), language, turn, weightOf(utterance)),
  );
  const turns = conversations === undefined ? [] : readConversations(conversations);
  const typed = turns.map((stretches, turn) => examplesOf(stretches, language, turn, CONVERSATION_WEIGHT));
  const typedExamples = typed.filter((_, turn) => turn % TEST_EVERY !== 0).flat();
  say(`${corpus.length} utterances, ${turns.length} typed turns`);

  // What everybody says all the time is there to be known, and has no pauses that could be weighed against its ends.
  const isCommon = ({ turn }: Example): boolean => corpus[turn]?.kind === 'common';
  const unseen = FOLDS.flatMap((fold) => {
    const isOfFold = ({ turn }: Example): boolean => turn % FOLDS.length === fold;
    const regression = regress([...examples.filter((example) => !isOfFold(example)), ...typedExamples]);
    const asked = examples.filter((example) => isOfFold(example) && example.isPause && !isCommon(example));
    return scored(asked, regression);
  });
  const { slope, offset } = calibrate(unseen);
  say(`unseen half of the corpus ranked right: ${rankedRight(unseen).toFixed(3)}`);

  const regression = regress([...examples, ...typedExamples]);
  if (turns.length > 0) {
    const test = typed.filter((_, turn) => turn % TEST_EVERY === 0).flat();
    say(`unseen typed turns ranked right: ${rankedRight(scored(test, regression)).toFixed(3)}`);
  }
  const learnt = packed(regression, slope, offset);
  const file = new URL(`../src/turn-end/word-models/${language}.bin`, import.meta.url);
  const bytes = encodeWeights(learnt);
  writeFileSync(file, bytes);
  say(`${learnt.hashes.length} features, ${Math.round(bytes.length / 1_024)} KiB`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function scored(examples: readonly Example[], regression: Regression): Scored[] {
  return examples.map(({ features, isEnd, weight }) => ({ logOdds: scoreOf(features, regression), isEnd, weight }));
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { conversations: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
});
const [language] = positionals;
if (values.help || language === undefined) {
  process.stdout.write(USAGE);
  process.exit(values.help ? 0 : 2);
}
train(language, values.conversations);
