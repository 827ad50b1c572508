import { setTimeout as sleep } from 'node:timers/promises';
import { type PlayedReply, ReplyPlayer, systemClock, type VoiceSession } from '@parley/client';
import type { DownlinkAudio, ServerEvent, VoiceError } from '@parley/protocol';
import { Microphone, type Utterance } from './microphone.ts';
import type { Printer } from './printer.ts';
import { type Recording, speechEndBefore } from './recording.ts';
import { TalkFailure } from './talk-failure.ts';
import { type Turn, TurnBook } from './turn-book.ts';

/** How often the conversation looks whether a turn is over. */
const LOOK_EVERY_MS = 20;
/** After a failure that no retry will mend, a turn has this long to go on all the same. */
const AFTER_FAILURE_MS = 3_000;
/** Where the reply's text is complete and nothing more is played for this long, its end has been missed. */
const END_MISSED_AFTER_MS = 3_000;

/** One turn to be had: something spoken, or something typed. */
export type Question =
  | { readonly kind: 'spoken'; readonly recording: Recording }
  | { readonly kind: 'typed'; readonly text: string };

/** Something to be spoken over a reply, so long after its first sample was played. */
export interface Interruption {
  readonly recording: Recording;
  readonly afterMs: number;
}

export interface ConversationOptions {
  readonly session: VoiceSession;
  readonly printer: Printer;
  /** Time without any progress after which a turn has failed. */
  readonly timeoutMs: number;
  /** Ends the conversation early. */
  readonly signal: AbortSignal;
}

/**
 * A person at the console: a microphone that is left on, a loudspeaker, and questions that are asked one after the other,
 * each when the answer to the one before has been played.
 */
export class Conversation {
  readonly book: TurnBook;
  readonly #session: VoiceSession;
  readonly #printer: Printer;
  readonly #timeoutMs: number;
  readonly #signal: AbortSignal;
  readonly #microphone: Microphone;
  readonly #player: ReplyPlayer;
  readonly #heard: Int16Array[] = [];
  readonly #utterances: Utterance[] = [];
  #lastProgressMs = 0;
  /** The reason that the server gave for what goes wrong, and whether it may yet come right. */
  #failure: { readonly reason: string; readonly final: boolean } | undefined;
  #closed: { readonly error: VoiceError | undefined } | undefined;

  constructor({ session, printer, timeoutMs, signal }: ConversationOptions) {
    this.#session = session;
    this.#printer = printer;
    this.#timeoutMs = timeoutMs;
    this.#signal = signal;
    const rateHz = session.settings.outputRateHz;
    this.book = new TurnBook(rateHz);
    this.#microphone = new Microphone((frame) => session.sendAudio(frame));
    this.#player = new ReplyPlayer({
      clock: systemClock,
      rateHz,
      onHeard: (pcm, reply) => this.#onHeard(pcm, reply),
      onEnded: (reply) => this.book.played(reply, this.#microphone.startedAtMs),
    });
    this.#listen();
  }

  /** What the loudspeaker has played so far, joined. */
  get heard(): readonly Int16Array[] {
    return this.#heard;
  }

  /** Switches the microphone on; times count from here. */
  start(): void {
    this.#microphone.start();
    this.#progress();
  }

  /** Asks, and waits until the answer has been played. Throws a `TalkFailure` where none was. */
  async ask(question: Question, interruption?: Interruption): Promise<void> {
    const before = this.book.latest?.turn ?? 0;
    this.#forgive();
    await this.#put(question);
    if (interruption) await this.#interrupt(interruption, before);
    const last = await this.#answered(before);
    for (const turn of this.book.turns) if (turn.turn > before) this.#printer.turn(turn);
    if (last.isAnswered && !this.#failure?.final) return;
    throw new TalkFailure(this.#failure?.reason ?? NO_ANSWER[last.status]);
  }

  close(): void {
    this.#microphone.stop();
    this.#player.close();
  }

  async #put(question: Question): Promise<void> {
    if (question.kind === 'spoken') {
      this.#printer.asking(`speaking ${question.recording.name}`);
      await this.#speak(question.recording);
    } else {
      this.#printer.asking(`typing: ${question.text}`);
      this.book.typed(question.text);
      this.#session.sendText(question.text);
    }
  }

  /** Speaks a recording; resolves when its last sample has been sent. */
  async #speak(recording: Recording): Promise<Utterance> {
    const utterance = await this.#microphone.speak(recording);
    this.#utterances.push(utterance);
    await this.#until(() => utterance.isSpoken);
    return utterance;
  }

  /** Waits until enough of the reply has been played, then speaks over it. */
  async #interrupt({ recording, afterMs }: Interruption, before: number): Promise<void> {
    let target: PlayedReply | undefined;
    await this.#until(() => {
      const playing = this.#player.position();
      if (playing === undefined || playing.turn <= before || playing.firstAtMs === undefined)
        return this.#isOver(before);
      target = playing;
      return playing.outcome !== 'playing' || systemClock.nowMs() - playing.firstAtMs >= afterMs;
    });
    if (target?.outcome !== 'playing') {
      throw new TalkFailure(`there was no reply to interrupt ${afterMs} ms after its first sample`);
    }
    const turn = this.book.played(target, this.#microphone.startedAtMs);
    this.#printer.asking(`interrupting with ${recording.name}`);
    const utterance = await this.#speak(recording);
    turn.interruptedAtMs = this.#onClock(utterance.sentAtMs(recording.speechStart));
  }

  /** The last turn of a question, once there is nothing more to come. */
  async #answered(before: number): Promise<Turn> {
    await this.#until(() => this.#isOver(before));
    const last = this.book.latest;
    if (last === undefined || last.turn <= before) throw new TalkFailure(this.#failure?.reason ?? NOTHING_HEARD);
    return last;
  }

  #isOver(before: number): boolean {
    const last = this.book.latest;
    const quietMs = systemClock.nowMs() - this.#lastProgressMs;
    if (last === undefined || last.turn <= before || (this.book.isHearing && quietMs < AFTER_FAILURE_MS)) return false;
    if (last.status !== 'open') return this.#player.idle;
    return last.replyDone && last.isAnswered && this.#player.idle && quietMs > END_MISSED_AFTER_MS;
  }

  /** Waits for a condition while the session lives and something happens. */
  async #until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.#signal.aborted) throw new TalkFailure('stopped');
      if (this.#closed) throw new TalkFailure(describe(this.#closed.error));
      const patienceMs = this.#failure?.final ? Math.min(AFTER_FAILURE_MS, this.#timeoutMs) : this.#timeoutMs;
      if (systemClock.nowMs() - this.#lastProgressMs > patienceMs) {
        throw new TalkFailure(this.#failure?.reason ?? this.#timeoutReason());
      }
      await sleep(LOOK_EVERY_MS);
    }
  }

  #timeoutReason(): string {
    const last = this.book.latest;
    const what = last?.status === 'open' ? `no answer came to "${last.transcript}"` : NOTHING_HEARD;
    return `${what}, and nothing happened for ${this.#timeoutMs / 1_000} s`;
  }

  #listen(): void {
    const session = this.#session;
    session.on('event', (event) => this.#onEvent(event));
    session.on('audio', (frame) => this.#onAudio(frame));
    session.on('duck', () => {
      this.#player.duck();
      this.#printer.volume({ type: 'audio.duck' }, this.#nowMs());
    });
    session.on('restore', () => {
      this.#player.restore();
      this.#printer.volume({ type: 'audio.restore' }, this.#nowMs());
    });
    session.on('stop', (generation) => {
      this.#player.stop(generation);
      this.#printer.volume({ type: 'audio.stop', generation }, this.#nowMs());
    });
    session.on('error', (error) => {
      this.#failure = { reason: describe(error), final: !error.retryable };
      this.#printer.error(error, this.#nowMs());
    });
    session.on('resumed', (resumed) => {
      this.#progress();
      this.#printer.resumed(resumed, this.#nowMs());
    });
    session.on('closed', (error) => {
      this.#closed = { error };
    });
  }

  #onEvent(event: ServerEvent): void {
    this.#progress();
    this.#printer.event(event, this.#nowMs());
    const turn = this.book.add(event);
    if (event.type === 'turn.ended' && turn) this.#noteSpeechEnd(turn, event.decidedSample);
    if (event.type === 'stage.failed') {
      // A listener that failed is replaced by another, which hears all of it again.
      const final = event.stage !== 'listen' || !event.retryable;
      this.#failure = { reason: `${event.stage} failed: ${event.code}: ${event.message}`, final };
    }
  }

  #onAudio(frame: DownlinkAudio): void {
    this.#progress();
    const samples = frame.pcm.byteLength / Int16Array.BYTES_PER_ELEMENT;
    const ms = (samples * 1_000) / this.#session.settings.outputRateHz;
    if (samples > 0) this.#printer.audio(frame, Math.round(ms * 10) / 10, this.#nowMs());
    this.#player.enqueue(frame);
  }

  #onHeard(pcm: Int16Array, reply: PlayedReply): void {
    this.#progress();
    this.#heard.push(pcm.slice());
    this.book.played(reply, this.#microphone.startedAtMs);
    this.#session.reportPlayback({ turn: reply.turn, attempt: reply.attempt, samples: reply.samples });
  }

  /** The last speech of a turn: where the decision came before the end of the recording, the last before the decision. */
  #noteSpeechEnd(turn: Turn, decidedSample: number): void {
    const utterance = this.#utterances.findLast((spoken) => spoken.startSample < decidedSample);
    if (!utterance) return;
    const end = speechEndBefore(utterance.recording, decidedSample - utterance.startSample);
    turn.speechEndMs = this.#onClock(utterance.sentAtMs(end)) ?? turn.speechEndMs;
  }

  /** A new question is not to blame for what went wrong before. */
  #forgive(): void {
    this.#failure = undefined;
    this.#progress();
  }

  #progress(): void {
    this.#lastProgressMs = systemClock.nowMs();
  }

  #nowMs(): number {
    return systemClock.nowMs() - this.#microphone.startedAtMs;
  }

  #onClock(ms: number | undefined): number | undefined {
    return ms === undefined ? undefined : ms - this.#microphone.startedAtMs;
  }
}

const NOTHING_HEARD = 'nothing that was said was understood';

const NO_ANSWER = {
  open: 'the answer did not end',
  played: 'the answer had no audio',
  cut: 'the answer was cut before any of it was heard',
  unheard: 'the answer was given up before any of it was heard',
} as const;

const describe = (error: VoiceError | undefined): string =>
  error ? `${error.code}: ${error.message}` : 'the session was closed by the server';
