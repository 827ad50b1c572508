import { int16ToBytes } from '@parley/audio';
import {
  type ClientMessageInput,
  compareEventIds,
  type DownlinkAudio,
  type EventId,
  encodeUplinkAudio,
  INPUT_RATE_HZ,
  PROTOCOL_VERSION,
  type Reply,
  type ServerEvent,
  type ServerMessage,
  type SessionId,
  type SessionReady,
  type Settings,
  type SettingsPatch,
  sameReply,
  VoiceError,
} from '@parley/protocol';
import { createNanoEvents, type Unsubscribe } from 'nanoevents';
import { Backoff } from './backoff.ts';
import type { Clock } from './clock.ts';
import type { Connection, ConnectionListener } from './connection.ts';
import { type Dialer, type Dialled, dial } from './dial.ts';
import { DownlinkFilter } from './downlink-filter.ts';
import { errorFromWire } from './failure.ts';
import { heldUntilNextTask } from './held-listener.ts';
import { LatestSender } from './latest-sender.ts';
import { type NumberedAudio, UplinkBuffer } from './uplink-buffer.ts';

/** Longest piece of user audio in one message. */
const MAX_FRAME_SAMPLES = 0.04 * INPUT_RATE_HZ;
const PLAYBACK_INTERVAL_MS = 250;
const ACK_INTERVAL_MS = 1_000;
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 1_000;
/** A connection that lasted this long was a good one: the next loss is met with the shortest delay again. */
const SETTLED_AFTER_MS = 1_000;
/** How long `close` waits for the gateway to confirm. */
const CLOSE_TIMEOUT_MS = 1_000;
/** One attempt at a resume: a gateway that hangs must not cost more than this. */
const RESUME_TIMEOUT_MS = 2_000;
/** Messages that wait for a resume; more than this many clicks and texts are refused. */
const MAX_WAITING_MESSAGES = 64;

/**
 * `connecting` until the server is ready, then `open`; `resuming` while the connection is lost and another is sought;
 * `closed` for good.
 */
export type SessionState = 'connecting' | 'open' | 'resuming' | 'closed';

/** A connection has been replaced by another, and the session goes on. */
export interface Resumed {
  readonly url: string;
  /** From the loss of the old connection to the answer on the new one. */
  readonly afterMs: number;
  /** User audio that the server lacks and that was no longer kept. */
  readonly lostSamples: number;
  /** The conversation so far, where events were missed that the server no longer has. */
  readonly snapshot: SessionReady['snapshot'];
}

/** Samples of a reply that have been played. */
export interface Playback extends Reply {
  readonly samples: number;
}

/** What a session tells, by name. */
export interface VoiceSessionEvents {
  /** An event of the session's log: each once, in order. */
  event(event: ServerEvent): void;
  /** Reply audio: each sample once, none of an old generation. */
  audio(frame: DownlinkAudio): void;
  /** Lower the reply's volume: the user may be speaking. */
  duck(): void;
  /** Bring the volume back. */
  restore(): void;
  /** Stop playing, and drop all audio of generations below this one. */
  stop(generation: number): void;
  /** A failure, whether or not the session goes on. */
  error(error: VoiceError): void;
  state(state: SessionState): void;
  resumed(resumed: Resumed): void;
  /** The session has ended: by failure, or by `close` on either side. */
  closed(error: VoiceError | undefined): void;
}

/** What a session has counted so far. */
export interface SessionStats {
  readonly resumes: number;
  /** User audio that was no longer kept when a resume asked for it. */
  readonly lostSamples: number;
  /** Reply audio that came twice. */
  readonly duplicateSamples: number;
  /** Messages of the server that this SDK does not know. */
  readonly skippedMessages: number;
}

/** What `connect` has when the server is ready. */
export interface VoiceSessionStart {
  readonly dialer: Dialer;
  readonly urlIndex: number;
  readonly connection: Connection;
  readonly answer: SessionReady & { readonly token: string };
}

/**
 * One conversation, from `connect` until it is closed. It outlives its connections: what is said while one is lost is
 * kept and sent on the next.
 */
export class VoiceSession {
  /** The session's id, the same on every connection. */
  readonly session: SessionId;
  readonly #token: string;
  readonly #dialer: Dialer;
  readonly #clock: Clock;
  readonly #resumeBoundMs: number;
  readonly #graceMs: number;
  readonly #events = createNanoEvents<VoiceSessionEvents>();
  readonly #uplink: UplinkBuffer;
  readonly #downlink = new DownlinkFilter();
  readonly #backoff = new Backoff(FIRST_RETRY_MS, LAST_RETRY_MS);
  readonly #playback: LatestSender<Playback>;
  readonly #ack: LatestSender<EventId>;
  readonly #listener: ConnectionListener;
  #state: SessionState = 'open';
  #settings: Settings;
  #urlIndex: number;
  #connection: Connection | undefined;
  #openedAtMs: number;
  #lostAtMs = 0;
  /** Ends the attempt to connect that goes on, or the wait for the next one. */
  #cancelAttempt: (() => void) | undefined;
  #lastEvent: EventId | undefined;
  #played: Playback | undefined;
  #ducked = false;
  #waiting: ClientMessageInput[] = [];
  #resumes = 0;
  #lostSamples = 0;
  #skippedMessages = 0;
  #closing: Promise<void> | undefined;
  #finishClosing: (() => void) | undefined;

  constructor({ dialer, urlIndex, connection, answer }: VoiceSessionStart) {
    this.session = answer.session;
    this.#token = answer.token;
    this.#dialer = dialer;
    this.#clock = dialer.clock;
    this.#resumeBoundMs = answer.resumeBoundMs;
    this.#graceMs = answer.graceMs;
    this.#settings = answer.settings;
    this.#urlIndex = urlIndex;
    this.#openedAtMs = this.#clock.nowMs();
    this.#uplink = new UplinkBuffer(Math.round((answer.resumeBoundMs * INPUT_RATE_HZ) / 1_000));
    this.#downlink.raise(answer.generation);
    this.#playback = new LatestSender(this.#clock, PLAYBACK_INTERVAL_MS, (played) =>
      this.#connection?.send({ type: 'playback', ...played }),
    );
    this.#ack = new LatestSender(this.#clock, ACK_INTERVAL_MS, (event) =>
      this.#connection?.send({ type: 'ack', event }),
    );
    this.#listener = {
      onMessage: (message) => this.#onMessage(message),
      onAudio: (frame) => this.#onAudio(frame),
      onSkipped: () => {
        this.#skippedMessages += 1;
      },
      onLost: (error) => this.#onLost(error),
    };
    this.#connection = connection;
    connection.adopt(heldUntilNextTask(this.#listener));
  }

  get state(): SessionState {
    return this.#state;
  }

  /** The settings in force. */
  get settings(): Settings {
    return this.#settings;
  }

  /** Number that the next sample of user audio will have. */
  get nextSample(): number {
    return this.#uplink.nextSample;
  }

  get stats(): SessionStats {
    return {
      resumes: this.#resumes,
      lostSamples: this.#lostSamples,
      duplicateSamples: this.#downlink.duplicateSamples,
      skippedMessages: this.#skippedMessages,
    };
  }

  /** Listens to one kind of happening; the result stops that. */
  on<E extends keyof VoiceSessionEvents>(event: E, listener: VoiceSessionEvents[E]): Unsubscribe {
    return this.#events.on(event, listener);
  }

  /**
   * Sends user audio: 16 kHz mono, in pieces of any length; 20 to 40 ms are best. The samples are copied. While no
   * connection is there the newest 15 s are kept. Does nothing once the session is closed.
   */
  sendAudio(pcm: Int16Array): void {
    if (this.#state === 'closed') return;
    for (let offset = 0; offset < pcm.length; offset += MAX_FRAME_SAMPLES) {
      const chunk = this.#uplink.push(pcm.subarray(offset, offset + MAX_FRAME_SAMPLES));
      if (this.#state === 'open') this.#sendChunk(chunk);
    }
    this.#checkFlow();
  }

  /** Says something in writing; the answer is spoken all the same. */
  sendText(text: string): void {
    this.#send({ type: 'input.text', text });
  }

  /** Stops the reply that is being spoken. */
  interrupt(): void {
    this.#send({ type: 'input.interrupt' });
  }

  /** Ends the turn now instead of waiting for a pause. */
  commit(): void {
    this.#send({ type: 'input.commit' });
  }

  /** Changes settings; `session.updated` says when they are in force. */
  update(settings: SettingsPatch): void {
    this.#send({ type: 'session.update', settings });
  }

  /**
   * Begins the conversation anew: the reply is stopped, all that was said is forgotten, and the greeting is said again. The
   * settings stay. `session.reset` says when it is done; what was shown before it is to be cleared.
   */
  reset(): void {
    this.#send({ type: 'session.reset' });
  }

  sendToolResult(call: string, result: string): void {
    this.#send({ type: 'input.tool_result', call, result });
  }

  /**
   * Reports what has been played of a reply. At most four reports a second are sent, the last one always, and that of a
   * whole reply at once: what the user does next is no interruption of it.
   */
  reportPlayback(played: Playback): void {
    if (this.#state === 'closed') return;
    this.#played = played;
    this.#playback.push(played);
    if (this.#downlink.isWhole(played, played.samples)) this.#playback.flush();
  }

  /**
   * Ends the session on the server too, and resolves when that is done. While no connection is there, the server ends it
   * by itself when its grace is over.
   */
  close(): Promise<void> {
    if (this.#state === 'closed') return Promise.resolve();
    if (this.#closing) return this.#closing;
    const done = new Promise<void>((resolve) => {
      this.#finishClosing = resolve;
    });
    this.#closing = done;
    this.#playback.flush();
    if (this.#connection?.send({ type: 'session.close' })) {
      this.#cancelAttempt = this.#clock.setTimeout(() => this.#end(undefined), CLOSE_TIMEOUT_MS);
    } else {
      this.#end(undefined);
    }
    return done;
  }

  #send(message: ClientMessageInput): void {
    if (this.#state === 'closed') throw new VoiceError('closed');
    if (this.#state === 'open' && this.#connection?.send(message)) return;
    if (this.#waiting.length >= MAX_WAITING_MESSAGES) {
      throw new VoiceError('rate_limited', 'Too much waits for the connection to come back.');
    }
    this.#waiting.push(message);
  }

  #sendChunk({ startSample, pcm }: NumberedAudio): void {
    this.#connection?.sendData(encodeUplinkAudio(startSample, int16ToBytes(pcm)));
  }

  /** A connection that takes none of what is kept for a resume will not get better by waiting. */
  #checkFlow(): void {
    const maxBufferedBytes = (this.#resumeBoundMs * INPUT_RATE_HZ * Int16Array.BYTES_PER_ELEMENT) / 1_000;
    // Once for what a resume sends at a stroke, once for what comes after it.
    if (!this.#connection || this.#connection.bufferedBytes <= 2 * maxBufferedBytes) return;
    this.#connection.drop();
    this.#onLost(new VoiceError('unreachable', 'The connection takes no more audio.'));
  }

  #onMessage(message: ServerMessage): void {
    switch (message.type) {
      case 'session.ready':
        // An answer to a question that was not asked.
        this.#skippedMessages += 1;
        return;
      case 'audio.ack':
        this.#uplink.release(message.sample);
        return;
      case 'audio.duck':
        if (message.generation >= this.#downlink.generation) this.#setDucked(true);
        return;
      case 'audio.restore':
        if (message.generation >= this.#downlink.generation) this.#setDucked(false);
        return;
      case 'audio.stop':
        this.#stop(message.generation);
        return;
      case 'error':
        this.#events.emit('error', errorFromWire(message));
        return;
      default:
        this.#onEvent(message);
    }
  }

  #onEvent(event: ServerEvent): void {
    if (this.#lastEvent !== undefined && compareEventIds(event.id, this.#lastEvent) <= 0) return;
    this.#lastEvent = event.id;
    if (event.type === 'session.updated') this.#settings = event.settings;
    this.#events.emit('event', event);
    this.#ack.push(event.id);
  }

  #onAudio(frame: DownlinkAudio): void {
    const fresh = this.#downlink.accept(frame);
    if (fresh) this.#events.emit('audio', fresh);
  }

  #setDucked(ducked: boolean): void {
    if (this.#ducked === ducked) return;
    this.#ducked = ducked;
    this.#events.emit(ducked ? 'duck' : 'restore');
  }

  #stop(generation: number): void {
    if (!this.#downlink.raise(generation)) return;
    this.#ducked = false;
    this.#events.emit('stop', generation);
  }

  #onLost(error: VoiceError): void {
    this.#connection = undefined;
    if (this.#closing || error.code === 'closed') this.#end(undefined);
    else if (!error.retryable) this.#end(error);
    else this.#seek(error);
  }

  /** Begins to look for another connection. */
  #seek(error: VoiceError): void {
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#openedAtMs >= SETTLED_AFTER_MS) this.#backoff.reset();
    this.#lostAtMs = nowMs;
    this.#setState('resuming');
    if (error.code !== 'unreachable' && error.code !== 'going_away') this.#events.emit('error', error);
    this.#dialAfter(error.code === 'going_away' ? 0 : this.#backoff.next(), error);
  }

  /** Tries the next gateway after a while, unless the server has given the session up by then. */
  #dialAfter(delayMs: number, error: VoiceError): void {
    // A listener that was told of the loss may have closed the session.
    if (this.#state !== 'resuming') return;
    const waitMs = Math.max(delayMs, error.retryAfterMs ?? 0);
    if (this.#clock.nowMs() + waitMs - this.#lostAtMs > this.#graceMs) this.#end(error);
    else this.#cancelAttempt = this.#clock.setTimeout(() => this.#dial(), waitMs);
  }

  #dial(): void {
    this.#urlIndex = (this.#urlIndex + 1) % this.#dialer.urls.length;
    this.#cancelAttempt = dial(this.#dialer, this.#urlIndex, this.#resumeMessage(), RESUME_TIMEOUT_MS, (result) => {
      this.#cancelAttempt = undefined;
      if (!(result instanceof VoiceError)) this.#resume(result);
      else if (result.retryable) this.#dialAfter(this.#backoff.next(), result);
      else this.#end(result);
    });
  }

  #resumeMessage(): ClientMessageInput {
    const reply = this.#downlink.reply;
    const played = sameReply(reply, this.#played) ? (this.#played?.samples ?? 0) : 0;
    return {
      type: 'session.resume',
      v: PROTOCOL_VERSION,
      session: this.session,
      token: this.#token,
      ...(this.#lastEvent === undefined ? {} : { lastEvent: this.#lastEvent }),
      ...(reply === undefined ? {} : { audio: { ...reply, played } }),
    };
  }

  #resume({ connection, answer }: Dialled): void {
    if (answer.session !== this.session) {
      connection.drop();
      this.#end(new VoiceError('session_unknown'));
      return;
    }
    this.#connection = connection;
    connection.adopt(this.#listener);
    this.#openedAtMs = this.#clock.nowMs();
    this.#resumes += 1;
    this.#settings = answer.settings;
    this.#uplink.release(answer.ackedSample);
    const lostSamples = Math.max(0, this.#uplink.firstSample - answer.inputSample);
    this.#lostSamples += lostSamples;
    // A stop that was missed shows in the generation. A `duck` ends with its connection.
    this.#stop(answer.generation);
    this.#setDucked(false);
    if (answer.snapshot) this.#lastEvent = answer.snapshot.lastEvent;
    this.#setState('open');
    for (const chunk of this.#uplink.from(answer.inputSample)) this.#sendChunk(chunk);
    this.#waiting = this.#waiting.filter((message) => !connection.send(message));
    this.#events.emit('resumed', {
      url: this.#dialer.urls[this.#urlIndex] ?? '',
      afterMs: this.#openedAtMs - this.#lostAtMs,
      lostSamples,
      snapshot: answer.snapshot,
    });
  }

  #end(error: VoiceError | undefined): void {
    if (this.#state === 'closed') return;
    this.#cancelAttempt?.();
    this.#playback.close();
    this.#ack.close();
    this.#connection?.drop();
    this.#connection = undefined;
    this.#waiting = [];
    this.#setState('closed');
    if (error) this.#events.emit('error', error);
    this.#events.emit('closed', error);
    this.#finishClosing?.();
  }

  #setState(state: SessionState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#events.emit('state', state);
  }
}
