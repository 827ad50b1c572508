import { readFileSync } from 'node:fs';
import { readWav, resample } from '@parley/audio';
import { connect, ReplyPlayer, systemClock, type VoiceSession } from '@parley/client';
import { type DownlinkAudio, INPUT_RATE_HZ, type Reply, type ServerEvent, type Settings } from '@parley/protocol';
import { waitUntil } from '@parley/testkit';

const FRAME_SAMPLES = 320;
const FRAME_MS = 20;
const SPEECH = new URL('../libs/testkit/fixtures/speech/', import.meta.url);

type EventOf<T extends ServerEvent['type']> = Extract<ServerEvent, { type: T }>;

/** A recording of the fixtures as 16 kHz samples. */
export async function speech(name: string): Promise<Int16Array> {
  const wav = readWav(readFileSync(new URL(`${name}.wav`, SPEECH)));
  return resample(wav.samples, wav.sampleRateHz, INPUT_RATE_HZ);
}

/** What is said in a recording of the fixtures. */
export function textOf(name: string): string {
  const { items } = JSON.parse(readFileSync(new URL('manifest.json', SPEECH), 'utf8')) as {
    items: { file: string; text: string }[];
  };
  const found = items.find(({ file }) => file === `${name}.wav`);
  if (!found) throw new Error(`no recording named ${name}`);
  return found.text;
}

/**
 * A person with a microphone that is always on and a loudspeaker: sends silence or speech in real time, plays what comes,
 * reports what was played, and remembers everything.
 */
export class User {
  readonly session: VoiceSession;
  readonly events: ServerEvent[] = [];
  readonly audio: DownlinkAudio[] = [];
  readonly stops: { generation: number; atMs: number }[] = [];
  readonly errors: string[] = [];
  /** When each frame of reply audio came. */
  readonly audioTimes: number[] = [];
  /** When each event came, on `performance.now()`. */
  readonly times = new Map<string, number>();
  readonly #player: ReplyPlayer;
  readonly #heard = new Map<string, Int16Array[]>();
  readonly #ended = new Map<string, 'complete' | 'stopped'>();
  #toSay: { pcm: Int16Array; offset: number; said: () => void }[] = [];
  #timer: NodeJS.Timeout | undefined;
  #microphone = true;

  constructor(session: VoiceSession) {
    this.session = session;
    this.#player = new ReplyPlayer({
      clock: systemClock,
      rateHz: session.settings.outputRateHz,
      onHeard: (pcm, reply) => {
        const key = `${reply.turn}.${reply.attempt}`;
        this.#heard.set(key, [...(this.#heard.get(key) ?? []), pcm.slice()]);
        session.reportPlayback({ turn: reply.turn, attempt: reply.attempt, samples: reply.samples });
      },
      onEnded: (reply) => {
        if (reply.outcome !== 'playing') this.#ended.set(`${reply.turn}.${reply.attempt}`, reply.outcome);
      },
    });
    session.on('event', (event) => {
      this.events.push(event);
      this.times.set(event.id, performance.now());
    });
    session.on('audio', (frame) => {
      this.audio.push({ ...frame, pcm: frame.pcm.slice() });
      this.audioTimes.push(performance.now());
      this.#player.enqueue(frame);
    });
    session.on('stop', (generation) => {
      this.stops.push({ generation, atMs: performance.now() });
      this.#player.stop(generation);
    });
    session.on('error', (error) => this.errors.push(error.code));
    this.#speakOnClock();
  }

  static async connect(urls: readonly string[], settings: Partial<Settings> = {}): Promise<User> {
    return new User(await connect({ urls: [...urls], settings }));
  }

  /** Says a recording after what is still to be said. Resolves when its last sample has been sent. */
  say(pcm: Int16Array): Promise<void> {
    return new Promise((said) => this.#toSay.push({ pcm, offset: 0, said }));
  }

  /** Switches the microphone off: nothing is sent, not even silence. */
  mute(): void {
    this.#microphone = false;
  }

  /** The first event of a type that came, or comes within the time, and fulfils the condition. */
  async event<T extends ServerEvent['type']>(
    type: T,
    which: (event: EventOf<T>) => boolean = () => true,
    timeoutMs = 20_000,
  ): Promise<EventOf<T>> {
    const find = () =>
      this.events.find((event): event is EventOf<T> => event.type === type && which(event as EventOf<T>));
    await waitUntil(() => find() !== undefined, timeoutMs).catch(() => {
      throw new Error(`no ${type} came; ${this.#story()}`);
    });
    const found = find();
    if (!found) throw new Error('unreachable');
    return found;
  }

  /** Waits until this much of a turn's reply has been played. */
  async played(turn: number, ms: number): Promise<void> {
    const samples = (ms / 1_000) * this.session.settings.outputRateHz;
    await waitUntil(() => {
      const at = this.#player.position();
      return at?.turn === turn && at.samples >= samples;
    }, ms + 20_000);
  }

  /** Waits until the reply of a turn has been played to its end. */
  async answered(turn: number, timeoutMs = 60_000): Promise<{ reply: Reply; text: string; pcm: Int16Array }> {
    const done = await this.event('reply.done', (event) => event.turn === turn, timeoutMs);
    const key = `${turn}.${done.attempt}`;
    await waitUntil(() => this.#ended.get(key) === 'complete', timeoutMs).catch(() => {
      const last = this.audio.at(-1);
      const frame =
        last && `${last.turn}.${last.attempt} clause ${last.clause} from ${last.startSample}, end ${last.endOfReply}`;
      throw new Error(`reply ${key} was ${this.#ended.get(key) ?? 'not ended'}; last audio ${frame}; ${this.#story()}`);
    });
    return {
      reply: { turn, attempt: done.attempt },
      text: done.text,
      pcm: this.heard({ turn, attempt: done.attempt }),
    };
  }

  /** What was heard of a reply, joined. */
  heard({ turn, attempt }: Reply): Int16Array {
    const parts = this.#heard.get(`${turn}.${attempt}`) ?? [];
    const joined = new Int16Array(parts.reduce((sum, part) => sum + part.length, 0));
    let offset = 0;
    for (const part of parts) {
      joined.set(part, offset);
      offset += part.length;
    }
    return joined;
  }

  /** The recognised text of a turn, as its `turn.ended` said. */
  transcript(turn: number): string {
    const ended = this.events.filter((event) => event.type === 'turn.ended' && event.turn === turn);
    return ended.map((event) => (event.type === 'turn.ended' ? event.text : '')).join(' ');
  }

  async leave(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#microphone = false;
    this.#player.close();
    await this.session.close();
  }

  #story(): string {
    return `events: ${this.events.map((event) => event.type).join(' ')}; errors: ${this.errors.join(' ')}`;
  }

  /** Sends a frame each 20 ms of a clock that does not drift. */
  #speakOnClock(): void {
    const startMs = performance.now();
    let sent = 0;
    const tick = (): void => {
      const due = Math.floor((performance.now() - startMs) / FRAME_MS);
      for (; sent < due; sent += 1) if (this.#microphone) this.session.sendAudio(this.#nextFrame());
      this.#timer = setTimeout(tick, FRAME_MS / 2);
    };
    tick();
  }

  #nextFrame(): Int16Array {
    const [next] = this.#toSay;
    const frame = new Int16Array(FRAME_SAMPLES);
    if (!next) return frame;
    frame.set(next.pcm.subarray(next.offset, next.offset + FRAME_SAMPLES));
    next.offset += FRAME_SAMPLES;
    if (next.offset >= next.pcm.length) {
      this.#toSay.shift();
      next.said();
    }
    return frame;
  }
}
