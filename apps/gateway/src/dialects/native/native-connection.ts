import {
  type ClientMessage,
  decodeClientMessage,
  decodeUplinkAudio,
  type NewEvent,
  PROTOCOL_VERSION,
  VoiceError,
} from '@parley/protocol';
import { type Clock, type Logger, newTrace } from '@parley/runtime';
import type { Admission } from '../../handshake.ts';
import type { GatewayMetrics } from '../../metrics.ts';
import type { SessionOwner } from '../../owner.ts';
import type { OwnerRegistry } from '../../owner-registry.ts';
import type { Socket, SocketHandler } from '../../socket.ts';
import { NativeLink } from './native-link.ts';

/** Messages that may wait for the one before them, or for the session to be ready. */
const MAX_WAITING_MESSAGES = 256;
/** JSON messages a second, sustained and at once. */
const MESSAGES_PER_SECOND = 50;
const MESSAGE_BURST = 200;

export interface NativeConnectionOptions {
  readonly registry: OwnerRegistry;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: GatewayMetrics;
  readonly helloTimeoutMs: number;
}

/**
 * One connection of the native protocol: awaiting the first message → opening → open → closed. Translates messages to
 * inputs of the session's owner, in their order; an error in a message is answered and does no further harm.
 */
export class NativeConnection implements SocketHandler {
  readonly #options: NativeConnectionOptions;
  readonly #keyHash: string;
  readonly #link: NativeLink;
  readonly #cancelHello: () => void;
  #owner: SessionOwner | undefined;
  #greeted = false;
  #closed = false;
  /** Messages are handled one after the other. */
  #chain: Promise<void> = Promise.resolve();
  #waiting = 0;
  #allowance = MESSAGE_BURST;
  #allowanceAtMs: number;

  constructor(socket: Socket, admission: Admission, options: NativeConnectionOptions) {
    this.#options = options;
    this.#keyHash = admission instanceof VoiceError ? '' : admission;
    this.#link = new NativeLink(socket);
    this.#allowanceAtMs = options.clock.nowMs();
    this.#cancelHello = options.clock.setTimeout(
      () => this.#fail(new VoiceError('hello_timeout')),
      options.helloTimeoutMs,
    );
    if (admission instanceof VoiceError) this.#fail(admission);
  }

  text(message: string): void {
    if (this.#closed) return;
    if (!this.#allowed()) return this.#complain(new VoiceError('rate_limited', undefined, { retryAfterMs: 1_000 }));
    let decoded: ClientMessage;
    try {
      decoded = decodeClientMessage(message);
    } catch (error) {
      return this.#greeted ? this.#complain(error) : this.#fail(error);
    }
    if (!this.#greeted) return this.#greet(decoded);
    if (this.#waiting >= MAX_WAITING_MESSAGES) return this.#fail(new VoiceError('rate_limited'));
    this.#waiting += 1;
    this.#chain = this.#chain
      .then(() => this.#handle(decoded))
      .catch((error: unknown) => this.#complain(error))
      .finally(() => {
        this.#waiting -= 1;
      });
  }

  binary(message: Uint8Array): void {
    if (this.#closed) return;
    if (!this.#owner) {
      const why = this.#greeted ? 'Audio may follow session.ready only.' : 'The first message must open a session.';
      return this.#fail(new VoiceError('bad_message', why, { public: true }));
    }
    try {
      this.#owner.audio(decodeUplinkAudio(message));
    } catch (error) {
      // Redis has been away for longer than audio can wait here: the client keeps it, and sends it again.
      if (VoiceError.from(error).code === 'bus_unavailable') this.#fail(error);
      else this.#complain(error);
    }
  }

  oversized(): void {
    this.#fail(new VoiceError('too_large'));
  }

  closed(): void {
    this.#closed = true;
    this.#cancelHello();
    this.#owner?.detach(this.#link);
  }

  #greet(message: ClientMessage): void {
    if (message.type !== 'session.start' && message.type !== 'session.resume') {
      const why = 'The first message must be session.start or session.resume.';
      return this.#fail(new VoiceError('bad_message', why, { public: true }));
    }
    if ((message.minReader ?? message.v) > PROTOCOL_VERSION || message.v < 1) {
      return this.#fail(new VoiceError('unsupported_version'));
    }
    this.#greeted = true;
    this.#cancelHello();
    this.#chain = this.#open(message).catch((error: unknown) => this.#fail(error));
  }

  async #open(message: Extract<ClientMessage, { type: 'session.start' | 'session.resume' }>): Promise<void> {
    const { registry } = this.#options;
    const adopt = (owner: SessionOwner): void => {
      this.#owner = owner;
    };
    if (message.type === 'session.start') await registry.start(message, this.#keyHash, this.#link, adopt);
    else await registry.resume(message, this.#keyHash, this.#link, adopt);
    if (this.#closed) this.#owner?.detach(this.#link);
  }

  async #handle(message: ClientMessage): Promise<void> {
    const owner = this.#owner;
    if (!owner || this.#closed) return;
    switch (message.type) {
      case 'session.start':
      case 'session.resume':
        throw new VoiceError('bad_message', 'The session is open already.', { public: true });
      case 'session.update':
        return owner.input({ type: 'input.settings', settings: message.settings });
      case 'session.reset':
        return owner.input(traced({ type: 'input.reset' }));
      case 'session.close':
        return owner.input({ type: 'input.close', reason: 'client' });
      case 'input.text':
        return owner.input(traced({ type: 'input.text', text: message.text }));
      case 'input.interrupt':
        return owner.input({ type: 'input.interrupt' });
      case 'input.commit':
        return owner.input({ type: 'input.commit' });
      case 'input.tool_result':
        return owner.input({ type: 'input.tool_result', call: message.call, result: message.result });
      case 'playback':
        return owner.playback(message);
      case 'ack':
        return owner.acknowledge(message.event);
      default:
        return message satisfies never;
    }
  }

  #allowed(): boolean {
    const nowMs = this.#options.clock.nowMs();
    const refill = ((nowMs - this.#allowanceAtMs) / 1_000) * MESSAGES_PER_SECOND;
    this.#allowance = Math.min(MESSAGE_BURST, this.#allowance + refill);
    this.#allowanceAtMs = nowMs;
    if (this.#allowance < 1) return false;
    this.#allowance -= 1;
    return true;
  }

  /** Tells the client; the session goes on. */
  #complain(reason: unknown): void {
    const error = this.#note(reason);
    this.#link.control({ type: 'error', fatal: false, ...error.toWire() });
  }

  /** Tells the client and ends the connection. */
  #fail(reason: unknown): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelHello();
    this.#link.close(this.#note(reason));
  }

  #note(reason: unknown): VoiceError {
    const error = VoiceError.from(reason);
    this.#options.metrics.refusals.inc({ code: error.code });
    if (error.code === 'internal') this.#options.logger.error({ err: error.cause ?? error }, 'a message failed');
    return error;
  }
}

/** An input that begins a turn begins its trace. */
const traced = <E extends NewEvent>(event: E): E => ({ ...event, trace: newTrace() });
