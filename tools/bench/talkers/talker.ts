import {
  type DownlinkAudio,
  decodeDownlinkAudio,
  encodeUplinkAudio,
  INPUT_RATE_HZ,
  PROTOCOL_VERSION,
  type ServerMessage,
  SUBPROTOCOL,
} from '@parley/protocol';
import { WebSocket } from 'ws';
import { monotonicMs } from '../clock.ts';
import { Microphone } from './microphone.ts';
import type { TalkMessage, TalkPlan } from './plan.ts';

/** A turn without an answer for this long is lost. */
const ANSWER_LIMIT_MS = 20_000;
const PLAYBACK_INTERVAL_MS = 250;
const ACK_INTERVAL_MS = 1_000;
/** Frames whose time of sending is remembered. */
const REMEMBERED_FRAMES = 256;
const NUMBER = /\d{7,}/;

export interface TalkerOptions {
  readonly plan: TalkPlan;
  readonly url: string;
  readonly question: Int16Array;
  readonly background: Int16Array;
  readonly tell: (message: TalkMessage) => void;
}

/** A turn as far as it has come. */
interface OpenTurn {
  turn: number;
  number: string;
  askedMs: number;
  quantisationMs: number;
  endedAt: number;
  startedAt: number;
  clauseAt: number;
  firstAudioMs: number;
  /** Samples of the reply received. */
  received: number;
  isWhole: boolean;
}

interface Interruption {
  readonly onsetSample: number;
  readonly number: string;
  duckedMs: number | undefined;
  confirmedAt: number;
  confirmedSamples: number;
}

/**
 * One session of somebody who asks again and again, and hears the answers as they come. As lean as can be, since many of
 * them share the machine with what they measure: no resume, and messages are not validated.
 *
 * States: connecting → pausing (until the question is due) → asking (until the gateway says that the turn has ended) →
 * hearing (until the reply has been played) → pausing, … → done.
 */
export class Talker {
  readonly #options: TalkerOptions;
  readonly #microphone: Microphone;
  readonly #socket: WebSocket;
  #state: 'connecting' | 'pausing' | 'asking' | 'hearing' | 'done' = 'connecting';
  #session = '';
  #rateHz = 24_000;
  #silenceMs = 700;
  #turns = 0;
  #finishing = false;
  /** First sample of the question that is due. */
  #dueSample = 0;
  #sentMs = new Float64Array(REMEMBERED_FRAMES);
  #turn: OpenTurn = freshTurn();
  #waitingSinceMs = 0;
  #interruption: Interruption | undefined;
  #reportedMs = 0;
  #ackedMs = 0;
  #lastEvent: string | undefined;
  #isClosed = false;
  audioFrames = 0;
  audioSeconds = 0;
  disconnects = 0;
  errors = 0;
  lost = 0;
  completed = 0;

  constructor(options: TalkerOptions) {
    this.#options = options;
    this.#microphone = new Microphone(options.background);
    this.#socket = new WebSocket(options.url, SUBPROTOCOL, { perMessageDeflate: false });
    this.#socket.on('open', () => {
      this.#send({ type: 'session.start', v: PROTOCOL_VERSION, settings: options.plan.settings });
    });
    this.#socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (isBinary) this.#audio(decodeDownlinkAudio(data));
      else this.#message(JSON.parse(data.toString()) as ServerMessage);
    });
    this.#socket.on('error', (error) => options.tell({ type: 'trouble', why: error.message }));
    this.#socket.on('close', (code) => this.#closed(code));
  }

  get isConnected(): boolean {
    return this.#state !== 'connecting' && !this.#isClosed;
  }

  /** Asks nothing any more once the open turn is over. */
  finish(): void {
    this.#finishing = true;
    if (this.#state === 'pausing') this.#state = 'done';
  }

  get isDone(): boolean {
    return this.#state === 'done' || this.#isClosed;
  }

  leave(): void {
    if (this.#isClosed) return;
    this.#state = 'done';
    this.#send({ type: 'session.close' });
  }

  /** Cuts the connection that has not been closed by the other side. */
  cut(): void {
    this.#socket.terminate();
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** The next frame is due. */
  tick(nowMs: number): void {
    if (!this.isConnected) return;
    const { plan } = this.#options;
    if (plan.way !== 'mute') this.#speak(plan.frameSamples, nowMs);
    if (this.#state === 'hearing') this.#play(nowMs);
    if (plan.acknowledge && this.#lastEvent !== undefined && nowMs - this.#ackedMs >= ACK_INTERVAL_MS) {
      this.#ackedMs = nowMs;
      this.#send({ type: 'ack', event: this.#lastEvent });
      this.#lastEvent = undefined;
    }
    if (this.#isWaiting && nowMs - this.#waitingSinceMs > ANSWER_LIMIT_MS) this.#lose('no answer in time');
  }

  get #isWaiting(): boolean {
    return this.#state === 'asking' || this.#state === 'hearing';
  }

  #speak(frameSamples: number, nowMs: number): void {
    const startSample = this.#microphone.position;
    if (this.#state === 'pausing' && startSample + frameSamples > this.#dueSample) this.#ask(nowMs);
    const pcm = this.#microphone.take(frameSamples);
    this.#socket.send(encodeUplinkAudio(startSample, pcm));
    this.#sentMs[(startSample / frameSamples) % REMEMBERED_FRAMES] = monotonicMs();
  }

  #ask(nowMs: number): void {
    const { plan, question } = this.#options;
    this.#state = 'asking';
    this.#turn = freshTurn();
    this.#waitingSinceMs = nowMs;
    if (plan.way === 'text') {
      const number = `1${String(Math.floor(Math.random() * 1e9)).padStart(9, '0')}`;
      this.#send({ type: 'input.text', text: `number ${number}` });
      this.#turn = { ...freshTurn(), number, askedMs: monotonicMs() };
    } else {
      const endSample = this.#microphone.say(question, this.#dueSample);
      this.#waitingSinceMs += ((endSample - this.#dueSample) / INPUT_RATE_HZ) * 1_000;
    }
  }

  #pause(): void {
    const { plan } = this.#options;
    const isEnough = plan.turns > 0 && this.#turns >= plan.turns;
    if (isEnough || this.#finishing || plan.way === 'mute') {
      this.#state = 'done';
      return;
    }
    const [fromMs, toMs] = plan.pauseMs;
    const pauseMs = fromMs + Math.random() * (toMs - fromMs);
    // Not a whole number of frames: where speech begins and ends within them is left to chance.
    this.#dueSample = this.#microphone.position + Math.round((pauseMs / 1_000) * INPUT_RATE_HZ);
    this.#state = 'pausing';
  }

  #message(message: ServerMessage): void {
    if ('id' in message) this.#lastEvent = message.id;
    const turn = this.#turn;
    switch (message.type) {
      case 'session.ready':
        this.#session = message.session;
        this.#rateHz = message.settings.outputRateHz;
        this.#silenceMs = message.settings.silenceMs;
        this.#pause();
        return this.#options.tell({ type: 'connected' });
      case 'turn.ended':
        return this.#turnEnded(message);
      case 'reply.started':
        turn.startedAt = message.at;
        turn.turn = message.turn ?? 0;
        if (this.#state === 'asking') this.#state = 'hearing';
        return;
      case 'reply.clause':
        if (message.clause === 0) turn.clauseAt = message.at;
        return;
      case 'audio.duck':
        if (this.#interruption) this.#interruption.duckedMs = monotonicMs();
        return;
      case 'speech.confirmed':
        if (this.#interruption) {
          this.#interruption.confirmedAt = message.at;
          this.#interruption.confirmedSamples = message.samples;
        }
        return;
      case 'audio.stop':
        return this.#stopped();
      case 'audio.lost':
        return this.#trouble(`${message.ms} ms of audio were lost`);
      case 'stage.failed':
        return this.#lose(`${message.stage}: ${message.code}`);
      case 'reply.cancelled':
        return this.#lose(`the reply was cancelled: ${message.reason}`);
      case 'error':
        return this.#trouble(`error ${message.code}: ${message.message}`);
      default:
    }
  }

  #turnEnded({ text, sample, decidedSample, at }: Extract<ServerMessage, { type: 'turn.ended' }>): void {
    const { frameSamples } = this.#options.plan;
    const frame = Math.floor((decidedSample - 1) / frameSamples);
    const silentSample = sample + (this.#silenceMs / 1_000) * INPUT_RATE_HZ;
    this.#turn.number = NUMBER.exec(text)?.[0] ?? '0';
    this.#turn.askedMs = this.#sentMs[frame % REMEMBERED_FRAMES] ?? 0;
    this.#turn.quantisationMs = (((frame + 1) * frameSamples - silentSample) / INPUT_RATE_HZ) * 1_000;
    this.#turn.endedAt = at;
    this.#waitingSinceMs = monotonicMs();
  }

  #audio(frame: DownlinkAudio): void {
    const turn = this.#turn;
    this.audioFrames += 1;
    this.audioSeconds += frame.pcm.byteLength / 2 / this.#rateHz;
    if (frame.turn !== turn.turn || this.#state !== 'hearing') return;
    const received = frame.startSample + frame.pcm.byteLength / 2;
    if (received > turn.received) {
      // As long as something comes, it is not lost.
      this.#waitingSinceMs = monotonicMs();
      if (turn.received === 0) turn.firstAudioMs = this.#waitingSinceMs;
      turn.received = received;
    }
    turn.isWhole ||= frame.endOfReply;
  }

  /** Plays what has come, reports it, and goes on when all has been played. */
  #play(nowMs: number): void {
    const turn = this.#turn;
    if (turn.received === 0) return;
    const due = Math.floor(((nowMs - turn.firstAudioMs) / 1_000) * this.#rateHz);
    const played = Math.min(due, turn.received);
    const isOver = turn.isWhole && played >= turn.received;
    if (played < turn.received) this.#waitingSinceMs = nowMs;
    if (isOver || nowMs - this.#reportedMs >= PLAYBACK_INTERVAL_MS) {
      this.#reportedMs = nowMs;
      this.#send({ type: 'playback', turn: turn.turn, attempt: 0, samples: played });
    }
    if (isOver) return this.#heard();
    const { interruptAfterMs } = this.#options.plan;
    if (interruptAfterMs !== undefined && !this.#interruption && nowMs - turn.firstAudioMs >= interruptAfterMs) {
      this.#interrupt();
    }
  }

  #heard(): void {
    const { turn, number, askedMs, quantisationMs, endedAt, startedAt, clauseAt, firstAudioMs } = this.#turn;
    const seen = { turn, number, askedMs, quantisationMs, endedAt, startedAt, clauseAt, firstAudioMs };
    this.#options.tell({ type: 'turn', turn: { session: this.#session, ...seen } });
    this.completed += 1;
    this.#over();
  }

  #over(): void {
    this.#turns += 1;
    this.#pause();
  }

  #interrupt(): void {
    const onsetSample = this.#microphone.position + Math.floor(Math.random() * this.#options.plan.frameSamples);
    this.#microphone.say(this.#options.question, onsetSample);
    this.#interruption = {
      ...{ onsetSample, number: this.#turn.number },
      ...{ duckedMs: undefined, confirmedAt: 0, confirmedSamples: 0 },
    };
  }

  /** The reply was cut. What was said over it is a question of its own, and its answer is waited for. */
  #stopped(): void {
    const interruption = this.#interruption;
    if (!interruption) return;
    const { onsetSample, number, duckedMs, confirmedAt, confirmedSamples } = interruption;
    const { frameSamples } = this.#options.plan;
    const frame = Math.floor(onsetSample / frameSamples);
    this.#options.tell({
      type: 'interruption',
      interruption: {
        ...{ session: this.#session, number, duckedMs, confirmedAt, confirmedSamples },
        onsetMs: this.#sentMs[frame % REMEMBERED_FRAMES] ?? 0,
        frameMs: (((frame + 1) * frameSamples - onsetSample) / INPUT_RATE_HZ) * 1_000,
        stoppedMs: monotonicMs(),
      },
    });
    this.#interruption = undefined;
    this.completed += 1;
    this.#turns += 1;
    const isEnough = this.#options.plan.turns > 0 && this.#turns >= this.#options.plan.turns;
    this.#turn = freshTurn();
    this.#waitingSinceMs = monotonicMs() + this.#options.plan.questionMs;
    this.#state = isEnough || this.#finishing ? 'done' : 'asking';
  }

  #lose(why: string): void {
    if (!this.#isWaiting) return;
    this.lost += 1;
    this.#interruption = undefined;
    const doing = this.#turn.received > 0 ? 'hearing' : this.#turn.endedAt > 0 ? 'waiting' : 'asking';
    this.#options.tell({ type: 'lost', session: this.#session, turn: this.#turn.turn, why: `${why} (${doing})` });
    this.#over();
  }

  #trouble(why: string): void {
    this.errors += 1;
    this.#options.tell({ type: 'trouble', why });
  }

  #closed(code: number): void {
    const wasOpen = this.#state !== 'done';
    this.#isClosed = true;
    if (!wasOpen) return;
    this.disconnects += 1;
    if (this.#isWaiting) this.lost += 1;
    this.#options.tell({ type: 'trouble', why: `a connection was closed with ${code}` });
  }

  #send(message: object): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }
}

const freshTurn = (): OpenTurn => ({
  ...{ turn: 0, number: '0', askedMs: 0, quantisationMs: 0, endedAt: 0, startedAt: 0, clauseAt: 0 },
  ...{ firstAudioMs: 0, received: 0, isWhole: false },
});
