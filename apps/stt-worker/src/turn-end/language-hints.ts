/** Lists are words or phrases with spaces between, phrases with a hyphen in place of their own spaces: `i-would-like-to`. */
type Words = string;

/** What the end of a text says in a language that separates words. Everything is lower case, without punctuation. */
export interface WordHints {
  readonly by: 'words';
  /** Something must follow: conjunctions, articles, possessives, prepositions, pronouns in front of a verb, unfinished phrases. */
  readonly open: Words;
  /** Something mostly follows: auxiliaries, verbs that want an object, adverbs of degree. */
  readonly leaning: Words;
  /** Either way: separable prefixes, adverbs that are prepositions too. */
  readonly either: Words;
  /** Hesitation. */
  readonly fillers: Words;
  /** What ends a turn, or is one: courtesies, yes and no, adverbs of time that come last. */
  readonly closed: Words;
  /** Beginnings of a question. */
  readonly questions: Words;
  /** Prepositions that may end a question, and the beginnings of such questions. */
  readonly strandable?: Words;
  readonly openQuestions?: Words;
  /** Beginnings of what asks for something to be done. */
  readonly requests: Words;
  /** Beginnings of a clause or a list that something else should follow. */
  readonly subordinate: Words;
  /** Articles and possessives: a few words that begin with one are rarely a sentence. */
  readonly determiners: Words;
  /** Number words, and what is said between digits. */
  readonly numbers: Words;
  /** What is dictated in digits: numbers of any length, and codes, which are short. */
  readonly dictated: Words;
  readonly codes: Words;
}

/** The same for a language whose endings tell, whether it separates words or not. The longest ending that fits counts. */
export interface EndingHints {
  readonly by: 'endings';
  readonly open: Words;
  readonly either: Words;
  readonly closed: Words;
  /** Characters that digits are written with. */
  readonly digits: string;
}

export type LanguageHints = WordHints | EndingHints;
