/** Lists are words or phrases with spaces between, phrases with a hyphen in place of their own spaces: `i-would-like-to`. */
export type Words = string;

/** What the end of a text says in a language that separates words. Everything is lower case, without punctuation. */
export interface WordHints {
  readonly by: 'words';
  /** Something must follow: conjunctions, articles, possessives, prepositions, pronouns in front of a verb, unfinished phrases. */
  readonly open: Words;
  /** Something mostly follows: auxiliaries, verbs that want an object, adverbs of degree. */
  readonly leaning: Words;
  /** Those of them that are verbs: they may have had their object before, and may be nouns. */
  readonly verbs?: Words;
  /** Either way: separable prefixes, adverbs that are prepositions too. */
  readonly either: Words;
  /** Hesitation. */
  readonly fillers: Words;
  /** What is a turn, or ends one: courtesies, yes and no. */
  readonly closed: Words;
  /** What comes last, but leaves open whether a statement goes on: adverbs of time, pronouns as objects. */
  readonly closing: Words;
  /** Beginnings of a question. */
  readonly questions: Words;
  /** Prepositions that may end a question, and the beginnings of such questions. */
  readonly strandable?: Words;
  readonly openQuestions?: Words;
  /** Beginnings of what asks for something to be done. */
  readonly requests: Words;
  /** What goes before a question or a statement without being part of it: "and", "so", "then". */
  readonly coordinators: Words;
  /** Beginnings of a clause that another should follow. */
  readonly subordinate: Words;
  /** Beginnings of a list. */
  readonly firsts: Words;
  /** Of these, which begin a question too if a verb comes next; and which verbs those are. */
  readonly inverting?: Words;
  readonly auxiliaries?: Words;
  /** What joins a clause to the one before it, beside the conjunctions above: "that", "who". */
  readonly relatives?: Words;
  /** Conjunctions whose clause has its verb last. */
  readonly verbFinal?: Words;
  /** Pronouns that begin a clause, as far as they are no objects too. */
  readonly subjects?: Words;
  /** What is put in between: "please", "by the way". */
  readonly asides?: Words;
  /** The same as a clause: how it begins, and the words it ends with. "If you don't mind". */
  readonly conditions?: Words;
  readonly politeness?: Words;
  /** Articles and possessives: a few words that begin with one are rarely a sentence. */
  readonly determiners: Words;
  /** Endings of plurals, where two of them in a row are two items. */
  readonly plurals?: Words;
  /** Number words, and what is said between digits. */
  readonly numbers: Words;
  /** Those from nought to nine. */
  readonly digits: Words;
  /** Those that say of what there are so many: hundreds, thousands. */
  readonly multipliers: Words;
  /** What digits are misheard as. */
  readonly homophones?: Words;
  /** What is dictated in digits: numbers of any length, telephone numbers, and codes, which are short. */
  readonly dictated: Words;
  readonly telephones: Words;
  readonly codes: Words;
  /** Months, and what wants a year with its day. */
  readonly months?: Words;
  readonly births?: Words;
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
