import type { PlayedReply } from '@parley/client';
import type { ServerEvent } from '@parley/protocol';

/** A turn as the summary tells it; times in milliseconds since the first sample was sent, null where there is none. */
export interface TurnSummary {
  readonly turn: number;
  readonly transcript: string;
  /** Whole text of the last attempt at a reply. */
  readonly reply: string;
  /** The part of the reply that was heard. */
  readonly heard: string;
  /** When the last sample of speech was sent. */
  readonly speechEndMs: number | null;
  /** When the first sample of the reply was played. */
  readonly firstAudioMs: number | null;
  readonly voiceToVoiceMs: number | null;
  /** Length of the reply audio that was heard. */
  readonly heardMs: number;
  /** When the first sample of speech that interrupted the reply was sent. */
  readonly interruptedAtMs: number | null;
  /** When the last sample of the reply was played. */
  readonly silentAtMs: number | null;
}

/**
 * How a turn stands: its text is known and no reply has begun, or the reply goes on (`open`); the reply was played to its
 * end (`played`), cut (`cut`), or given up before any of it was heard (`unheard`).
 */
export type TurnStatus = 'open' | 'played' | 'cut' | 'unheard';

/** What is known of one turn. */
export class Turn {
  readonly turn: number;
  status: TurnStatus = 'open';
  transcript = '';
  reply = '';
  attempt = 0;
  /** The text of the reply is complete. */
  replyDone = false;
  truncatedTo: string | undefined;
  speechEndMs: number | undefined;
  firstAudioMs: number | undefined;
  silentAtMs: number | undefined;
  interruptedAtMs: number | undefined;
  heardMs = 0;

  constructor(turn: number) {
    this.turn = turn;
  }

  /** Something of the reply was heard. */
  get isAnswered(): boolean {
    return this.heardMs > 0;
  }

  summary(): TurnSummary {
    const { turn, transcript, reply, speechEndMs, firstAudioMs } = this;
    const voiceToVoiceMs = speechEndMs === undefined || firstAudioMs === undefined ? null : firstAudioMs - speechEndMs;
    return {
      turn,
      transcript,
      reply,
      heard: this.truncatedTo ?? (this.isAnswered ? reply : ''),
      speechEndMs: rounded(speechEndMs),
      firstAudioMs: rounded(firstAudioMs),
      voiceToVoiceMs: rounded(voiceToVoiceMs),
      heardMs: Math.round(this.heardMs),
      interruptedAtMs: rounded(this.interruptedAtMs),
      silentAtMs: rounded(this.silentAtMs),
    };
  }
}

/** Keeps account of the turns of a conversation from what the server says and what the loudspeaker has played. */
export class TurnBook {
  readonly #rateHz: number;
  readonly #turns = new Map<number, Turn>();
  /** Numbers of the utterances that have begun and not ended. */
  readonly #openUtterances = new Set<number>();
  /** A typed text whose turn has no number yet. */
  #typed: string | undefined;

  constructor(rateHz: number) {
    this.#rateHz = rateHz;
  }

  /** All turns, in order. */
  get turns(): Turn[] {
    return [...this.#turns.values()].sort((a, b) => a.turn - b.turn);
  }

  get latest(): Turn | undefined {
    return this.turns.at(-1);
  }

  /** Somebody speaks, or what was spoken is still being recognised. */
  get isHearing(): boolean {
    return this.#openUtterances.size > 0;
  }

  /** A text has been typed; the next turn that comes is its own. */
  typed(text: string): void {
    this.#typed = text;
  }

  /** Takes an event in; answers the turn that it changed. */
  add(event: ServerEvent): Turn | undefined {
    switch (event.type) {
      case 'speech.started':
        this.#openUtterances.add(event.utterance);
        return undefined;
      case 'turn.ended':
        this.#openUtterances.delete(event.utterance);
        return this.#turnEnded(event.turn, event.text.trim());
      case 'session.reset':
        // The end of what was being said is not told.
        this.#openUtterances.clear();
        return undefined;
      case 'reply.started': {
        const turn = this.#turn(event.turn);
        if (this.#typed !== undefined && turn.transcript === '') {
          turn.transcript = this.#typed;
          this.#typed = undefined;
        }
        return this.#restart(turn, event.attempt, '');
      }
      case 'reply.released':
        return this.#restart(this.#turn(event.turn), event.attempt, event.text);
      case 'reply.delta':
        return this.#ofAttempt(event, (turn) => {
          turn.reply += event.text;
        });
      case 'reply.done':
        return this.#ofAttempt(event, (turn) => {
          turn.reply = event.text;
          turn.replyDone = true;
        });
      case 'reply.truncated':
        return this.#ofAttempt(event, (turn) => {
          turn.truncatedTo = event.heard;
          turn.status = 'cut';
        });
      case 'reply.cancelled':
        return this.#ofAttempt(event, (turn) => {
          turn.status = 'unheard';
        });
      default:
        return undefined;
    }
  }

  /** The loudspeaker has got so far with a reply; times are on the conversation's clock. */
  played(reply: PlayedReply, startedAtMs: number): Turn {
    const turn = this.#turn(reply.turn);
    turn.heardMs = (reply.samples * 1_000) / this.#rateHz;
    if (reply.firstAtMs !== undefined) turn.firstAudioMs = reply.firstAtMs - startedAtMs;
    if (reply.lastAtMs !== undefined) turn.silentAtMs = reply.lastAtMs - startedAtMs;
    if (reply.outcome === 'complete' && turn.status === 'open') turn.status = turn.isAnswered ? 'played' : 'unheard';
    if (reply.outcome === 'stopped' && turn.status === 'open') turn.status = turn.isAnswered ? 'cut' : 'unheard';
    return turn;
  }

  #turnEnded(number: number | undefined, text: string): Turn | undefined {
    if (number === undefined) return undefined;
    // Speech without words begins no turn, but the reply that it had stopped unheard will be said after all.
    if (text === '' && !this.#turns.has(number)) return undefined;
    const turn = this.#turn(number);
    if (text !== '') turn.transcript = turn.transcript === '' ? text : `${turn.transcript} ${text}`;
    if (text !== '' || turn.status === 'unheard') turn.status = 'open';
    return turn;
  }

  #restart(turn: Turn, attempt: number, text: string): Turn {
    turn.attempt = attempt;
    turn.reply = text;
    turn.replyDone = false;
    turn.truncatedTo = undefined;
    turn.status = 'open';
    return turn;
  }

  /** Applies what concerns the last attempt only. */
  #ofAttempt(event: { turn: number; attempt: number }, change: (turn: Turn) => void): Turn | undefined {
    const turn = this.#turn(event.turn);
    if (event.attempt !== turn.attempt) return undefined;
    change(turn);
    return turn;
  }

  #turn(number: number): Turn {
    const known = this.#turns.get(number);
    if (known) return known;
    const turn = new Turn(number);
    this.#turns.set(number, turn);
    return turn;
  }
}

const rounded = (ms: number | null | undefined): number | null =>
  ms === null || ms === undefined ? null : Math.round(ms * 10) / 10;
