import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ClauseSplitter, splitClauses } from './clauses.ts';
import { SpeakableText, speakableText } from './speakable-text.ts';

const split = (text: string, language = 'en') => splitClauses(speakableText(text), language);

function splitInPieces(pieces: readonly string[], language: string): string[] {
  const speakable = new SpeakableText();
  const splitter = new ClauseSplitter(language);
  const clauses = pieces.flatMap((piece) => splitter.push(speakable.push(piece)));
  return [...clauses, ...splitter.push(speakable.flush()), ...splitter.flush()];
}

const TEXTS: readonly (readonly [language: string, text: string])[] = [
  [
    'en',
    'Well, that is a good question. Dr. Smith paid 3.50 dollars at 10:30, e.g. for tea... Then he left! “Really?” she asked. Yes.',
  ],
  [
    'en',
    '## Plan\n\n1. **Wash** the _rice_.\n2. Cook it 🍚 for `12` minutes.\n\n```sh\nrm -rf /\n```\nSee [the book](https://a.example/x?y=1) or https://www.example.com/long/path.html. 2 * 3 = 6.',
  ],
  ['zh', '你好！今天天气很好，我们去公园散步吧。你想什么时候出发？我可以在门口等你，然后我们一起坐地铁去。'],
  ['ja', 'こんにちは。今日はとても良い天気ですね、散歩に行きましょうか？はい、行きましょう！'],
  ['hi', 'नमस्ते। आप कैसे हैं? मैं ठीक हूँ, धन्यवाद। आज मौसम अच्छा है।'],
  ['ar', 'مرحبا، كيف حالك؟ أنا بخير؛ شكرا لك. الطقس جميل اليوم.'],
  ['es', '¡Hola! ¿Qué tal estás? Yo estoy bien, gracias. El Sr. García llegó a las 10:30.'],
  ['de', 'Am 3. Oktober war es z. B. sehr kalt, aber schön. Wir gingen bzw. fuhren nach Hause.'],
  ['th', 'สวัสดีครับวันนี้อากาศดีมากเราไปเดินเล่นที่สวนสาธารณะกันไหมครับผมจะรอคุณที่หน้าประตูแล้วเราไปด้วยกันนะครับ'],
  [
    'en',
    '<think>secret thoughts</think>Sure! It costs $1,000.00 — a lot. "Wait," he said, "is that so?" A. B. Cole agreed. So do I. Fine.',
  ],
];

const chunked = (text: string) =>
  fc.array(fc.integer({ min: 0, max: text.length }), { maxLength: 40 }).map((cuts) => {
    const edges = [0, ...cuts.sort((a, b) => a - b), text.length];
    return edges.slice(1).map((end, index) => text.slice(edges[index], end));
  });

/** Texts made of the pieces that splitters trip over. */
const trickyText = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        '. ',
        '.',
        ', ',
        '! ',
        '?',
        '…',
        '...',
        '\n',
        '\n\n',
        ' ',
        '"',
        "'",
        '(',
        ')',
        '*',
        '**',
        '_',
        '#',
        '# ',
        '- ',
        '---',
        '`',
        '```',
        '```\n',
        '~',
        '~~',
        '1. ',
        '3.5',
        '10:30',
        '[',
        '](',
        ')',
        '<',
        '<br>',
        '<think>',
        '</think>',
        '|',
        '!',
        '![',
        'https://',
        'http://a.b/c?d=e',
        '🙂',
        '👩‍👩‍👧',
        '1️⃣',
        '🇩🇪',
        '。',
        '，',
        '。」',
        '你好',
        '।',
        '؟',
        '¿',
        '¡',
        'Dr. ',
        'e.g. ',
        'ß',
        'é',
        '\u200d',
        '\ud83d',
      ),
      fc.constantFrom('hello ', 'world ', 'Hello ', 'h', 'a', 'I', 'extraordinarilylongword', 'the ', 'of ', 'สวัสดีครับ'),
      fc.string({ unit: 'grapheme', maxLength: 6 }),
    ),
    { maxLength: 120 },
  )
  .map((parts) => parts.join(''));

describe('clauses', () => {
  it('are the same however the text is cut into deltas', () => {
    for (const [language, text] of TEXTS) {
      const whole = split(text, language);
      expect(splitInPieces([...text].map(String), language)).toEqual(whole);
      fc.assert(
        fc.property(chunked(text), (pieces) => {
          expect(splitInPieces(pieces, language)).toEqual(whole);
        }),
        { numRuns: 40 },
      );
    }
  });

  it('are the same however any text is cut into deltas, joined are the speakable text, and all can be spoken', () => {
    fc.assert(
      fc.property(
        trickyText.chain((text) => fc.tuple(fc.constant(text), chunked(text), fc.constantFrom('en', 'de', 'zh', 'xx'))),
        ([text, pieces, language]) => {
          const clauses = splitInPieces(pieces, language);
          expect(clauses).toEqual(split(text, language));
          const speakable = speakableText(text);
          const joined = clauses.join('');
          expect(speakable.startsWith(joined)).toBe(true);
          expect(speakable.slice(joined.length)).not.toMatch(/[\p{L}\p{N}]/u);
          for (const clause of clauses) expect(clause).toMatch(/[\p{L}\p{N}]/u);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('go on the same when a splitter starts behind the clauses given before', () => {
    for (const [language, text] of TEXTS) {
      const clauses = split(text, language);
      for (let given = 0; given <= clauses.length; given += 1) {
        const rest = new ClauseSplitter(language, { firstClause: given });
        const continued = [...rest.push(clauses.slice(given).join('')), ...rest.flush()];
        expect(continued).toEqual(clauses.slice(given));
      }
    }
  });

  it('go on from text said before as if it had come in one', () => {
    const goOn = (after: string, text: string): string => {
      const filter = new SpeakableText({ after });
      return after + filter.push(text) + filter.flush();
    };
    expect(goOn('Once upon a', ' time. # Not a heading')).toBe('Once upon a time. # Not a heading');
    expect(goOn('Once upon a ', ' time.')).toBe('Once upon a time.');
    expect(goOn('Once upon a ti', 'me.')).toBe('Once upon a time.');
    expect(goOn('Title\n', '# Heading')).toBe('Title\nHeading');
  });

  it('are bounded in length', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('word ', 'longer ', 'a ', 'well, ', 'End. '), { maxLength: 300 }),
        (words) => {
          const clauses = split(words.join(''));
          expect(Math.max(0, ...clauses.slice(0, 1).map((clause) => clause.length))).toBeLessThanOrEqual(60);
          expect(Math.max(0, ...clauses.map((clause) => clause.length))).toBeLessThanOrEqual(200);
        },
      ),
    );
  });

  it.each([
    [
      'starts with the first part of a sentence',
      'Well of course, I can tell you that. It is late.',
      ['Well of course, ', 'I can tell you that. ', 'It is late.'],
    ],
    [
      'starts with a short sentence',
      'Sure! Here it comes and it goes on.',
      ['Sure! ', 'Here it comes and it goes on.'],
    ],
    [
      'does not take a single short word before a comma',
      'Yes, that is right. Good.',
      ['Yes, that is right. ', 'Good.'],
    ],
    [
      'keeps titles and abbreviations together',
      'I met Dr. Smith and Mr. Jones, e.g. at No. 5 once.',
      ['I met Dr. Smith and Mr. Jones, ', 'e.g. at No. 5 once.'],
    ],
    [
      'keeps decimals and times together',
      'It is 3.5 at 10:30, I think. Right?',
      ['It is 3.5 at 10:30, ', 'I think. Right?'],
    ],
    ['keeps thousands together', 'That makes 1,000,000 in all. Good.', ['That makes 1,000,000 in all. ', 'Good.']],
    ['leaves an ellipsis inside a sentence', 'I wonder... maybe not. Yes.', ['I wonder... maybe not. ', 'Yes.']],
    ['ends at an ellipsis before a capital', 'I wonder… Maybe not.', ['I wonder… ', 'Maybe not.']],
    ['keeps the closing quotation mark', '“That is it.” She left the room.', ['“That is it.” ', 'She left the room.']],
    [
      'gives each line of a list a clause of its own',
      'Here:\n1. Milk\n2. Eggs\n3. Tea',
      ['Here:\n', '1. Milk\n', '2. Eggs\n', '3. Tea'],
    ],
    [
      'drops headings, emphasis and code',
      '# Title\n**Bold** and `code`.\n```js\nlet x = 1;\n```\nDone.',
      ['Title\n', 'Bold and code.\n', 'Done.'],
    ],
    ['does not speak emoji', 'Hi there 👋🏽! 😀 Nice to meet you 🇩🇪.', ['Hi there! ', 'Nice to meet you.']],
    ['says the host of a URL', 'See https://www.example.com/a/b?c=d. Or not.', ['See example.com. ', 'Or not.']],
    [
      'says the text of a link',
      'See [the manual](https://example.com/a.html), then ask.',
      ['See the manual, ', 'then ask.'],
    ],
    ['does not say what a model thinks', '<think>The user. Wants tea.</think>\nTea it is.', ['Tea it is.']],
    ['keeps multiplication', 'So 2 * 3 is 6, and snake_case stays.', ['So 2 * 3 is 6, ', 'and snake_case stays.']],
    ['keeps a negative number at the start of a line', '-5 degrees.\n- cold', ['-5 degrees.\n', 'cold']],
    ['gives nothing for mere punctuation', '... — !!! 🙂', []],
    ['carries leading punctuation into the clause', '— Hello there.', ['— Hello there.']],
    ['keeps initials together', 'It was J. R. Smith. Yes.', ['It was J. R. Smith. ', 'Yes.']],
    ['ends after the pronoun', 'So do I. Then we agree on it.', ['So do I. ', 'Then we agree on it.']],
  ])('in English: %s', (_, text, clauses) => {
    expect(split(text)).toEqual(clauses);
  });

  it.each([
    ['zh', '你好！今天天气很好，我们去散步吧。', ['你好！', '今天天气很好，我们去散步吧。']],
    ['zh', '当然可以，我来告诉你。', ['当然可以，', '我来告诉你。']],
    ['ja', 'はい、わかりました。「行こう。」と言った。', ['はい、わかりました。', '「行こう。」と言った。']],
    ['hi', 'नमस्ते। आप कैसे हैं? मैं ठीक हूँ।', ['नमस्ते। ', 'आप कैसे हैं? मैं ठीक हूँ।']],
    ['ar', 'كيف حالك؟ أنا بخير.', ['كيف حالك؟ ', 'أنا بخير.']],
    ['es', '¡Hola! ¿Qué tal estás, amigo? ¡Bien!', ['¡Hola! ', '¿Qué tal estás, amigo? ', '¡Bien!']],
    ['de', 'Am 3. Oktober war es kalt. Ja.', ['Am 3. Oktober war es kalt. ', 'Ja.']],
    ['fr', 'Bonjour, M. Dupont est là. Il attend.', ['Bonjour, M. Dupont est là. ', 'Il attend.']],
  ])('in %s: %s', (language, text, clauses) => {
    // The first clause may end at a comma only when it is long enough to be worth speaking by itself.
    expect(split(text, language)).toEqual(clauses);
  });

  it('cut text without spaces between words', () => {
    const text = TEXTS.find(([language]) => language === 'th')?.[1] ?? '';
    const clauses = split(text, 'th');
    expect(clauses.length).toBeGreaterThan(1);
    const words = [...new Intl.Segmenter('th', { granularity: 'word' }).segment(text)].map(({ index }) => index);
    expect(words).toContain(clauses[0]?.length);
  });

  it('come as soon as the next character settles them', () => {
    const splitter = new ClauseSplitter('en');
    expect(splitter.push('Good morning,')).toEqual([]);
    expect(splitter.push(' d')).toEqual(['Good morning, ']);
    expect(splitter.push('ear friend of mine. ')).toEqual([]);
    expect(splitter.push('H')).toEqual(['dear friend of mine. ']);
    expect(splitter.flush()).toEqual(['H']);
  });

  it('take time in proportion to the text', () => {
    const text = ['word '.repeat(40_000), '.'.repeat(20_000), '-'.repeat(20_000), ' end.'].join('');
    const startedMs = performance.now();
    splitInPieces(text.match(/.{1,7}/gs) ?? [], 'en');
    expect(performance.now() - startedMs).toBeLessThan(10_000);
  });
});
