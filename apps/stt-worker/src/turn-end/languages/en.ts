import type { WordHints } from '../language-hints.ts';

export const english: WordHints = {
  by: 'words',
  open:
    'and or but so because if although though unless while whereas than that which who whom whose until ' +
    'a an the my your his our their its this these every each any some another both either neither ' +
    'of to for with from at by into onto about between among against without within during through across towards ' +
    'toward upon via per like as since after before under over behind beside near above below except despite regarding ' +
    'i we they he she whether when where how why what ' +
    "i'm you're we're they're he's she's it's that's there's i'd you'd we'd i'll you'll we'll let's " +
    'mr mrs ms dr point dot underscore dash slash double triple plus minus times divided ' +
    'i-would-like i-want i-want-you i-need i-think i-guess i-mean i-mean-like i-was-wondering i-was-going do-you can-you ' +
    'could-you would-you will-you have-you did-you should-i can-i may-i could-i please-could-you please-can-you ' +
    'tell-me-about such-as for-example for-instance as-well-as as-soon-as in-order because-of instead-of kind-of sort-of ' +
    'a-lot-of lots-of a-couple-of one-of some-of all-of most-of i-have-a i-am-going i-am-looking the-thing-is what-i-mean-is ' +
    'is-there are-there there-is there-are it-is-a how-much-is how-many what-is what-are where-is where-are who-is and-then ' +
    'going-to want-to have-to need-to used-to able-to trying-to like-to next-to out-of at-least more-than less-than',
  leaning:
    "is are was were am be been being have has had do does did will would can could should shall might must don't " +
    "doesn't didn't won't wouldn't can't couldn't isn't aren't wasn't weren't haven't hasn't hadn't get got make makes made " +
    'give gives take takes put set send sends find finds show shows tell tells want wants need needs book bring buy let ' +
    'in on add remove use say says said very really quite too just only also even still always never almost more most less ' +
    'much many several few new next last first second other own same such no not maybe perhaps probably actually',
  either:
    'well up off out down around it you there here one another ones both all good great nice best ' +
    'better bad big small large little old young long short high low near nearest red green blue black white whole main real ' +
    'full free fast quick quiet hot cold',
  fillers: 'um umm uh uhm er erm hmm hm mm ah you-know i-mean let-me-see let-me-think let-me-check hang-on hold-on',
  closed:
    'please thanks thank-you thank-you-very-much yes yeah yep no nope okay ok sure right exactly correct hello hi hey ' +
    'goodbye bye see-you good-morning good-evening good-night never-mind of-course i-agree go-ahead sounds-good ' +
    "that's-right that's-all that's-it that-is-all i-don't-know i-do-not-know not-really stop cancel help repeat continue " +
    'today tomorrow tonight yesterday now again instead anyway though too-much ago either-way right-now as-well ' +
    'me him them us mine yours hers ours theirs itself myself yourself done please-stop all-right alright this-morning ' +
    'this-evening this-afternoon this-week next-week last-week this-year next-year last-year next-month last-month',
  questions:
    "what what's where where's when when's why who who's whose which how how's is are am was were do does did can could " +
    'would will should shall may have has',
  strandable: 'of to for with from at by about into like on in up',
  openQuestions: "what what's where where's when when's why who who's whose which how how's",
  requests:
    'please turn set play show tell remind stop call open close send book add remove find give let start switch ' +
    "make read put pause skip translate i-would-like i'd-like i-want i-need we-need let's help text write order " +
    'buy reserve cancel schedule check look explain say',
  subordinate: 'if because although though unless while whenever since as even-if first firstly secondly',
  determiners: 'a an the my your his her our their its this these',
  numbers:
    'zero oh nought one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen ' +
    'seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million',
  dictated: 'number phone telephone digits',
  codes: 'code pin password zip postcode',
};
