import { connect, type PlayedReply, ReplyPlayer, systemClock, type VoiceSession } from '@parley/client';
import { INPUT_RATE_HZ, type ServerEvent, type Settings } from '@parley/protocol';
import { waitUntil } from '@parley/testkit';
import { backgroundSamples } from '../talkers/microphone.ts';

const FRAME_SAMPLES = 320;
const FRAME_MS = 20;
const TICK_MS = 5;
const CONNECT_ATTEMPTS = 5;
/** A quiet room. */
const BACKGROUND_DBFS = -60;
const SAMPLES_PER_MS = INPUT_RATE_HZ / 1_000;

type EventOf<T extends ServerEvent['type']> = Extract<ServerEvent, { type: T }>;

/** An event and when it came. */
export interface Received<T extends ServerEvent = ServerEvent> {
  readonly event: T;
  readonly atMs: number;
}

/** Where in the session's audio something was said, end exclusive. */
export interface Said {
  readonly startSample: number;
  readonly endSample: number;
}

/**
 * Somebody with a microphone that is always on and a loudspeaker. Remembers when every sample was sent, every event came
 * and every reply was played; all times are on `performance.now()`.
 */
export class Person {
  readonly session: VoiceSession;
  readonly received: Received[] = [];
  readonly errors: string[] = [];
  readonly stopsMs: number[] = [];
  readonly ducksMs: number[] = [];
  /** When the first audio of each reply came, by turn and attempt. */
  readonly firstAudioMs = new Map<string, number>();
  readonly replies = new Map<string, PlayedReply>();
  readonly #player: ReplyPlayer;
  readonly #background = backgroundSamples(BACKGROUND_DBFS);
  /** When each frame was sent. */
  readonly #sentMs: number[] = [];
  #saying: { readonly samples: Int16Array; readonly startSample: number } | undefined;
  #timer: NodeJS.Timeout | undefined;

  private constructor(session: VoiceSession) {
    this.session = session;
    const remember = (reply: PlayedReply): void => void this.replies.set(keyOf(reply), reply);
    this.#player = new ReplyPlayer({
      clock: systemClock,
      rateHz: session.settings.outputRateHz,
      onStarted: remember,
      onHeard: (_pcm, reply) => {
        remember(reply);
        session.reportPlayback({ turn: reply.turn, attempt: reply.attempt, samples: reply.samples });
      },
      onEnded: remember,
    });
    session.on('event', (event) => this.received.push({ event, atMs: performance.now() }));
    session.on('audio', (frame) => {
      const key = keyOf(frame);
      if (!this.firstAudioMs.has(key)) this.firstAudioMs.set(key, performance.now());
      this.#player.enqueue({ ...frame, pcm: frame.pcm.slice() });
    });
    session.on('duck', () => this.ducksMs.push(performance.now()));
    session.on('stop', (generation) => {
      this.stopsMs.push(performance.now());
      this.#player.stop(generation);
    });
    session.on('error', ({ code }) => this.errors.push(code));
    this.#listenOnClock();
  }

  static async connect(urls: readonly string[], settings: Partial<Settings>): Promise<Person> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return new Person(await connect({ urls: [...urls], settings }));
      } catch (error) {
        // On a machine that has more to do than it can, a gateway may not answer in time.
        if (attempt === CONNECT_ATTEMPTS) throw error;
      }
    }
  }

  /** Says something from the next frame on. Answers when its last sample has been sent. */
  async say(samples: Int16Array): Promise<Said> {
    const said = this.begin(samples);
    await this.sent(said.endSample);
    return said;
  }

  /** Begins to say something with the next frame, at a place in it that differs from time to time. */
  begin(samples: Int16Array): Said {
    const startSample = this.#sentMs.length * FRAME_SAMPLES + Math.floor(Math.random() * FRAME_SAMPLES);
    this.#saying = { samples, startSample };
    return { startSample, endSample: startSample + samples.length };
  }

  /** Waits until everything before this sample has been sent. */
  sent(sample: number): Promise<void> {
    const frames = Math.ceil(sample / FRAME_SAMPLES);
    return waitUntil(() => this.#sentMs.length >= frames, (frames - this.#sentMs.length) * FRAME_MS + 10_000);
  }

  /** When a sample was spoken: it lies before the sending of its frame by as much as the frame had still to go. */
  spokenMs(sample: number): number {
    const frame = Math.floor(sample / FRAME_SAMPLES);
    return this.frameSentMs(sample) - ((frame + 1) * FRAME_SAMPLES - sample) / SAMPLES_PER_MS;
  }

  /** When the frame with this sample was sent. */
  frameSentMs(sample: number): number {
    return this.#sentMs[Math.floor(sample / FRAME_SAMPLES)] ?? Number.NaN;
  }

  /** Events of a type from a place in what was received. */
  of<T extends ServerEvent['type']>(type: T, from = 0): Received<EventOf<T>>[] {
    const isMeant = (event: ServerEvent): event is EventOf<T> => event.type === type;
    return this.received.slice(from).flatMap(({ event, atMs }) => (isMeant(event) ? [{ event, atMs }] : []));
  }

  /** The first event of a type from a place on that fulfils the condition; undefined when none comes in time. */
  async next<T extends ServerEvent['type']>(
    type: T,
    from: number,
    which: (event: EventOf<T>) => boolean = () => true,
    timeoutMs = 10_000,
  ): Promise<Received<EventOf<T>> | undefined> {
    const find = () => this.of(type, from).find(({ event }) => which(event));
    await waitUntil(() => find() !== undefined, timeoutMs).catch(() => undefined);
    return find();
  }

  /** How far the reply on stage has been played. */
  position(): PlayedReply | undefined {
    return this.#player.position();
  }

  /** Attempts at the reply of a turn that were heard, in order. */
  attempts(turn: number): PlayedReply[] {
    return [...this.replies.values()].filter((reply) => reply.turn === turn).sort((a, b) => a.attempt - b.attempt);
  }

  async leave(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#player.close();
    await this.session.close();
  }

  #listenOnClock(): void {
    const startMs = performance.now();
    const tick = (): void => {
      const due = Math.floor((performance.now() - startMs) / FRAME_MS);
      while (this.#sentMs.length < due) {
        this.session.sendAudio(this.#nextFrame());
        this.#sentMs.push(performance.now());
      }
      this.#timer = setTimeout(tick, TICK_MS);
    };
    tick();
  }

  #nextFrame(): Int16Array {
    const position = this.#sentMs.length * FRAME_SAMPLES;
    const from = position % (this.#background.length - FRAME_SAMPLES);
    const frame = this.#background.slice(from, from + FRAME_SAMPLES);
    if (!this.#saying) return frame;
    const { samples, startSample } = this.#saying;
    for (let at = 0; at < FRAME_SAMPLES; at += 1)
      frame[at] = (frame[at] ?? 0) + (samples[position + at - startSample] ?? 0);
    return frame;
  }
}

export const keyOf = ({ turn, attempt }: { readonly turn: number; readonly attempt: number }): string =>
  `${turn}.${attempt}`;
