/** Longest run of a URL or of a link's target that is waited for; beyond it the run is taken as it stands. */
const MAX_URL_CHARS = 2_048;

/** Longest run of marks, and longest HTML-like tag, that is taken as one; what is waited for must have an end. */
const MAX_MARK_CHARS = 40;

const URL_PREFIXES = ['https://', 'http://'];
const BLOCK_MARK = /^(?:#{1,6}[ \t]+|>[ \t]?|[-+*•‣◦][ \t]+)/;
const BLOCK_MARK_CHARS = /^[#>\-+*•‣◦_`~ \t]+$/;
const RULE = /^([-*_])(?:[ \t]*\1){2,}[ \t]*(?=\n|$)/;
const FENCE = /^(?:```|~~~)/;
const TAG = /^<\/?([A-Za-z]+)[^<>\n]*>/;
const TAG_PREFIX = /^<(?:\/?(?:[A-Za-z][^<>\n]*)?)?$/;
const URL = /^https?:\/\/(?:www\.)?([A-Za-z0-9.-]+)([A-Za-z0-9\-._~:/?#@!$&'()*+,;=%]*)/;
const URL_CHARS = /^[A-Za-z0-9\-._~:/?#@!$&'()*+,;=%]+$/;
const WORD = /[\p{L}\p{M}\p{N}]/u;
const SPACE = /\s/;
const CLOSING_PUNCTUATION = /[.,!?;:)\]}。，！？、।؟]/;

/**
 * What a language model writes → what can be said: an incremental filter. Markdown marks, code blocks, HTML tags, link
 * targets, emoji and the thinking aloud of reasoning models (`<think>…</think>`) are left out; a bare URL becomes its
 * host; white space is reduced to single spaces and line breaks. The result depends on the characters alone, never on
 * the pieces in which they come.
 */
export class SpeakableText {
  /** Characters not decided yet: a prefix of something that the next characters will tell. */
  #buffer = '';
  /** White space seen and not yet written; none is written at the start or at the end. */
  #space = '';
  #started: boolean;
  #lineStart: boolean;
  /** Last character written, to tell `2 * 3` from `*emphasis*` and `snake_case` from `_emphasis_`. */
  #previous = '';
  /** How often `#previous` has been repeated. */
  #repeated = 0;
  #inFence = false;
  #inThought = false;
  #afterEmoji = false;

  /** `after` is speakable text that was said before and that this text goes on from. */
  constructor({ after = '' }: { after?: string } = {}) {
    this.#started = /\S$/.test(after);
    this.#lineStart = after === '' || after.endsWith('\n');
    this.#previous = after.slice(-1);
  }

  /** Takes the next piece and gives what can be said of it by now. */
  push(delta: string): string {
    this.#buffer += delta;
    return this.#drain(false);
  }

  /** Gives what was held back; the text ends here. */
  flush(): string {
    const rest = this.#drain(true);
    this.#buffer = '';
    return rest;
  }

  #drain(atEnd: boolean): string {
    let said = '';
    while (this.#buffer !== '') {
      const step = this.#step(this.#buffer, atEnd);
      if (step === undefined) break;
      this.#buffer = this.#buffer.slice(step.taken);
      if (step.text !== '') said += this.#write(step.text);
    }
    return said;
  }

  #write(text: string): string {
    const space = this.#started && !(this.#afterEmoji && CLOSING_PUNCTUATION.test(text)) ? this.#space : '';
    this.#space = '';
    this.#started = true;
    this.#afterEmoji = false;
    this.#lineStart = false;
    this.#previous = text.slice(-1);
    return space + text;
  }

  /** The next piece of the buffer and what becomes of it; undefined where more characters are needed to tell. */
  #step(buffer: string, atEnd: boolean): { taken: number; text: string } | undefined {
    if (this.#inThought) return this.#skipThought(buffer, atEnd);
    if (this.#inFence) return this.#skipCode(buffer, atEnd);
    const first = String.fromCodePoint(buffer.codePointAt(0) ?? 0);
    if (SPACE.test(first)) {
      if (first === '\n') this.#lineStart = true;
      this.#space = first === '\n' || this.#space === '\n' ? '\n' : ' ';
      return { taken: first.length, text: '' };
    }
    if (/^[\uD800-\uDBFF]$/.test(buffer) && !atEnd) return undefined;
    if (this.#lineStart) {
      const mark = this.#blockMark(buffer, atEnd);
      if (mark !== 'none') return mark;
    }
    switch (first) {
      case '*':
      case '_':
        return this.#emphasis(buffer, first, atEnd);
      case '`':
        return { taken: 1, text: '' };
      case '~':
        return buffer.length === 1 && !atEnd
          ? undefined
          : buffer[1] === '~'
            ? { taken: 2, text: '' }
            : { taken: 1, text: '~' };
      case '-':
        return this.#hyphens(buffer, atEnd);
      case '|':
        this.#space ||= ' ';
        return { taken: 1, text: '' };
      case '!':
        if (buffer.length === 1 && !atEnd) return undefined;
        return { taken: 1, text: buffer[1] === '[' ? '' : '!' };
      case '[':
        return { taken: 1, text: '' };
      case ']':
        return this.#linkTarget(buffer, atEnd);
      case '<':
        return this.#tag(buffer, atEnd);
      case 'h':
        return this.#url(buffer, atEnd);
      default:
        return this.#character(first);
    }
  }

  /** Emoji, halves of broken surrogate pairs and the fourth of the same punctuation marks in a row are left out. */
  #character(character: string): { taken: number; text: string } {
    this.#repeated =
      character === this.#previous && this.#space === '' && !WORD.test(character) ? this.#repeated + 1 : 0;
    if (this.#repeated >= 3 || /^[\uD800-\uDFFF]$/.test(character)) return { taken: 1, text: '' };
    if (isPictograph(character) || (this.#afterEmoji && character === '\u200D')) {
      this.#afterEmoji = true;
      return { taken: character.length, text: '' };
    }
    return { taken: character.length, text: character };
  }

  /** Heading, quotation, list and rule marks at the start of a line; `none` when the line starts with text. */
  #blockMark(buffer: string, atEnd: boolean): { taken: number; text: string } | undefined | 'none' {
    if (!atEnd && buffer.length < MAX_MARK_CHARS && BLOCK_MARK_CHARS.test(buffer)) return undefined;
    if (FENCE.test(buffer)) {
      this.#inFence = true;
      return { taken: 3, text: '' };
    }
    const start = buffer.slice(0, MAX_MARK_CHARS);
    const mark = RULE.exec(start) ?? BLOCK_MARK.exec(start);
    if (mark) return { taken: mark[0].length, text: '' };
    this.#lineStart = false;
    return 'none';
  }

  /** Emphasis is dropped; a lone star between spaces or digits and an underscore inside a word stay. */
  #emphasis(buffer: string, mark: '*' | '_', atEnd: boolean): { taken: number; text: string } | undefined {
    let end = 1;
    while (buffer[end] === mark && end < MAX_MARK_CHARS) end += 1;
    if (end === buffer.length && !atEnd && end < MAX_MARK_CHARS) return undefined;
    const next = buffer[end] ?? ' ';
    const before = this.#space === '' ? this.#previous : ' ';
    const isText =
      mark === '*'
        ? end === 1 && /[\s\d]/.test(before) && /[\s\d]/.test(next) && this.#started
        : WORD.test(before) && WORD.test(next);
    return { taken: end, text: isText ? mark.repeat(end) : '' };
  }

  /** Three hyphens or more are a rule or the frame of a table. */
  #hyphens(buffer: string, atEnd: boolean): { taken: number; text: string } | undefined {
    let end = 1;
    while (buffer[end] === '-' && end < MAX_MARK_CHARS) end += 1;
    if (end === buffer.length && !atEnd && end < MAX_MARK_CHARS) return undefined;
    if (end < 3) return { taken: end, text: '-'.repeat(end) };
    this.#space ||= ' ';
    return { taken: end, text: '' };
  }

  /** `](target)`: the text of the link has been said, its target is not. */
  #linkTarget(buffer: string, atEnd: boolean): { taken: number; text: string } | undefined {
    if (buffer.length === 1 && !atEnd) return undefined;
    if (buffer[1] !== '(') return { taken: 1, text: '' };
    const end = buffer.slice(0, MAX_URL_CHARS).search(/[)\n]/);
    if (end >= 0) return { taken: buffer[end] === ')' ? end + 1 : end, text: '' };
    return atEnd || buffer.length >= MAX_URL_CHARS ? { taken: 1, text: '' } : undefined;
  }

  #tag(buffer: string, atEnd: boolean): { taken: number; text: string } | undefined {
    const tag = TAG.exec(buffer.slice(0, MAX_MARK_CHARS));
    if (tag) {
      const name = tag[1]?.toLowerCase();
      if (name === 'think' || name === 'thinking') this.#inThought = !tag[0].startsWith('</');
      if (name === 'br' || name === 'p' || name === 'li') this.#space = '\n';
      return { taken: tag[0].length, text: '' };
    }
    if (!atEnd && buffer.length < MAX_MARK_CHARS && TAG_PREFIX.test(buffer)) return undefined;
    return { taken: 1, text: '<' };
  }

  #skipThought(buffer: string, atEnd: boolean): { taken: number; text: string } | undefined {
    const end = /<\/think(?:ing)?>/i.exec(buffer);
    if (end) {
      this.#inThought = false;
      this.#lineStart = true;
      return { taken: end.index + end[0].length, text: '' };
    }
    const kept = atEnd ? 0 : Math.min(buffer.length, '</thinking>'.length);
    return buffer.length > kept ? { taken: buffer.length - kept, text: '' } : undefined;
  }

  /** Drops a code block line by line, its closing fence included. */
  #skipCode(buffer: string, atEnd: boolean): { taken: number; text: string } | undefined {
    const lineEnd = buffer.indexOf('\n');
    if (lineEnd < 0) return atEnd ? { taken: buffer.length, text: '' } : undefined;
    const rest = buffer.slice(lineEnd + 1);
    if (/^[ \t]*(?:```|~~~)/.test(rest)) {
      this.#inFence = false;
      this.#space = '\n';
      this.#lineStart = true;
      return { taken: lineEnd + 1 + rest.search(/[`~]/) + 3, text: '' };
    }
    if (!atEnd && /^[ \t]*[`~]{0,2}$/.test(rest) && rest.length < MAX_MARK_CHARS) return undefined;
    return { taken: lineEnd + 1, text: '' };
  }

  /** A URL is said as its host; the punctuation behind it stays. */
  #url(buffer: string, atEnd: boolean): { taken: number; text: string } | undefined {
    const isWordStart = this.#space !== '' || !WORD.test(this.#previous);
    if (!isWordStart) return { taken: 1, text: 'h' };
    const prefix = URL_PREFIXES.find((known) => buffer.startsWith(known) || (!atEnd && known.startsWith(buffer)));
    if (prefix === undefined) return { taken: 1, text: 'h' };
    const start = buffer.slice(0, MAX_URL_CHARS);
    if (!atEnd && start.length < MAX_URL_CHARS && URL_CHARS.test(start)) return undefined;
    const url = URL.exec(start);
    if (!url) return { taken: 1, text: 'h' };
    const punctuation = /[.,!?;:')]*$/.exec(url[0])?.[0] ?? '';
    const host = (url[1] ?? '').replace(/[.-]+$/, '');
    return { taken: url[0].length, text: host + punctuation };
  }
}

/** The speakable form of a whole text. */
export function speakableText(text: string): string {
  const filter = new SpeakableText();
  return filter.push(text) + filter.flush();
}

/** Emoji and what only changes their look; digits and the signs of ordinary text are not meant. */
function isPictograph(character: string): boolean {
  if (/[\u{FE0F}\u{20E3}\p{Emoji_Modifier}\p{Regional_Indicator}\u{E0020}-\u{E007F}]/u.test(character)) return true;
  return (character.codePointAt(0) ?? 0) >= 0x231a && /\p{Extended_Pictographic}/u.test(character);
}
