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
    'i-would-like i-want i-want-you i-need i-think i-guess i-mean i-mean-like i-was-going do-you can-you ' +
    'could-you would-you will-you have-you did-you should-i can-i may-i could-i please-could-you please-can-you ' +
    'tell-me-about such-as for-example for-instance as-well-as as-soon-as in-order because-of instead-of kind-of sort-of ' +
    'a-lot-of lots-of a-couple-of one-of some-of all-of most-of i-have-a i-am-going i-am-looking the-thing-is what-i-mean-is ' +
    'is-there are-there there-is there-are it-is-a how-much-is how-many what-is what-are where-is where-are who-is and-then ' +
    'going-to want-to have-to need-to used-to able-to trying-to like-to next-to out-of like-to-know want-to-know need-to-know do-you-know did-you-know do-you-happen-to-know ' +
    'tell-me tell-us i-wonder i-was-wondering wondering-if do-you-think asking-if at-least more-than less-than',
  leaning:
    "is are was were am be been being have has had do does did will would can could should shall might must don't " +
    "doesn't didn't won't wouldn't can't couldn't isn't aren't wasn't weren't haven't hasn't hadn't get got make makes made " +
    'give gives take takes put set send sends find finds show shows tell tells want wants need needs book bring buy let ' +
    'in on add remove use say says said very really quite too just only also even still always never almost more most less ' +
    'much many several few new next last first second other own same such no not maybe perhaps probably actually',
  verbs:
    'get make makes made give take put set send find show tell want wants need needs book bring buy let add remove use say ' +
    'like do call cost',
  either:
    'well up off out down around it you there here one another ones both all good great nice best ' +
    'better bad big small large little old young long short high low near nearest red green blue black white whole main real ' +
    'full free fast quick quiet hot cold go-on come-on carry-on move-on straight-on it-on them-on it-in come-in check-in log-in',
  fillers: 'um umm uh uhm er erm hmm hm mm ah you-know i-mean let-me-see let-me-think let-me-check hang-on hold-on',
  closed:
    'please thanks thank-you thank-you-very-much yes yeah yep no nope okay ok sure right exactly correct hello hi hey ' +
    'goodbye bye see-you good-morning good-evening good-night never-mind of-course i-agree go-ahead sounds-good ' +
    "that's-right that's-all that's-it that-is-all i-don't-know i-do-not-know not-really stop cancel help repeat continue " +
    'please-stop all-right alright think-so hope-so guess-so say-so',
  closing:
    'today tomorrow tonight yesterday now again instead anyway though too-much ago either-way right-now as-well me him them ' +
    'us mine yours hers ours theirs itself myself yourself done this-morning this-evening this-afternoon this-week next-week ' +
    'last-week this-year next-year last-year next-month last-month last-night too-late very-much at-all',
  questions:
    "what what's where where's when when's why who who's whose which how how's is are am was were do does did can could " +
    'would will should shall may have has',
  strandable: 'of to for with from at by about into like on in up this that these those',
  openQuestions: "what what's where where's when when's why who who's whose which how how's",
  requests:
    'please turn set play show tell remind stop call open close send book add remove find give let start switch ' +
    "make read put pause skip translate i-would-like i'd-like i-want i-need let's help text write order " +
    'buy reserve cancel schedule check look explain say',
  coordinators: 'and but or so then also well',
  subordinate:
    'if although though even-though unless while whenever wherever when before after until till once since even-if as-soon-as ' +
    'as-long-as in-case now-that by-the-time every-time the-moment as',
  firsts: 'first firstly secondly',
  inverting: 'when',
  auxiliaries:
    "is are was were am will would can could should shall may might must do does did has have had won't wouldn't can't " +
    "couldn't shouldn't don't doesn't didn't isn't aren't wasn't weren't hasn't haven't hadn't",
  relatives: 'that which who whom whose what where why how than because whether to',
  subjects:
    "i we he she they i'm we're they're he's she's i've we've they've i'd we'd he'd she'd they'd i'll we'll he'll she'll " +
    "they'll it's there's that's you're you'll you'd you've it'll nobody everybody somebody someone everyone",
  asides:
    'please perhaps maybe by-any-chance by-the-way if-possible for-example actually then exactly roughly just-briefly quickly',
  conditions: 'if',
  politeness: 'possible mind okay ok alright may can could trouble problem',
  determiners: 'a an the my your his her our their its this these some two three four five',
  plurals: 's',
  numbers:
    'zero oh nought one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen ' +
    'seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million',
  digits: 'zero oh nought one two three four five six seven eight nine',
  multipliers: 'hundred thousand million',
  homophones: 'for to too won ate',
  dictated: 'number numbers digits reference booking extension passport licence license serial account',
  telephones: 'phone telephone mobile cell dial reach call',
  codes: 'code pin password zip postcode ends ending last',
  months: 'january february march april may june july august september october november december',
  births: 'birth birthday born was were',
};
