/**
 * Every code a client can see. One table decides the WebSocket close code (when the failure ends the connection),
 * whether trying again can help, the fixed sentence sent to the client, and, by its key, the metric label.
 */
export const ERROR_TABLE = {
  bad_message: { close: 4400, retryable: false, message: 'The message could not be understood.' },
  bad_audio: { close: 4400, retryable: false, message: 'The audio frame is not valid.' },
  bad_settings: { close: 4400, retryable: false, message: 'The settings are not valid.' },
  unsupported_version: { close: 4406, retryable: false, message: 'This version of the protocol is not supported.' },
  unauthorized: { close: 4401, retryable: false, message: 'The key is missing or not accepted.' },
  hello_timeout: { close: 4408, retryable: true, message: 'No first message came in time.' },
  session_unknown: { close: 4404, retryable: false, message: 'There is no such session, or it has ended.' },
  session_exists: { close: 4409, retryable: false, message: 'A session of this id exists already.' },
  session_token: { close: 4403, retryable: false, message: 'The resume token is not accepted.' },
  moved: { close: 4410, retryable: false, message: 'The session has been taken over by another connection.' },
  going_away: { close: 4503, retryable: true, message: 'This gateway is leaving; resume on another.' },
  session_limit: { close: 4429, retryable: true, message: 'No more sessions are accepted at the moment.' },
  overloaded: { close: 4429, retryable: true, message: 'The system is too busy at the moment.' },
  rate_limited: { close: 4429, retryable: true, message: 'Audio or messages come faster than allowed.' },
  too_large: { close: 4413, retryable: false, message: 'The message is larger than allowed.' },
  slow_consumer: { close: 4508, retryable: true, message: 'The client does not read fast enough.' },
  idle_timeout: { close: 4410, retryable: false, message: 'The session was idle for too long.' },
  session_too_long: { close: 4410, retryable: false, message: 'The session has reached its greatest length.' },
  closed: { close: 1000, retryable: false, message: 'The session is closed.' },
  bus_unavailable: { close: 4500, retryable: true, message: 'The session store cannot be reached at the moment.' },
  no_worker: { close: 4500, retryable: true, message: 'No worker is free for this stage.' },
  engine_missing: { close: 4500, retryable: false, message: 'The engine is not available.' },
  engine_failed: { close: 4500, retryable: true, message: 'The engine failed.' },
  engine_timeout: { close: 4500, retryable: true, message: 'The engine did not answer in time.' },
  engine_rejected: { close: 4500, retryable: false, message: 'The engine refused the input.' },
  poisoned_input: { close: 4500, retryable: false, message: 'This input failed on several workers and was given up.' },
  // made by the SDK alone, never sent
  unreachable: { close: 1006, retryable: true, message: 'No gateway can be reached.' },
  internal: { close: 4500, retryable: true, message: 'Something went wrong inside.' },
} as const satisfies Record<string, { close: number; retryable: boolean; message: string }>;

export type ErrorCode = keyof typeof ERROR_TABLE;

export const ERROR_CODES = Object.keys(ERROR_TABLE) as ErrorCode[];

export const isErrorCode = (value: string): value is ErrorCode => Object.hasOwn(ERROR_TABLE, value);

/** The form in which a failure reaches a client. */
export interface WireError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryable: boolean;
  readonly retryAfterMs?: number;
}

/** The one error class: a closed code decides what happens; the original is in `cause` and never leaves the process. */
export class VoiceError extends Error {
  override readonly name = 'VoiceError';
  readonly code: ErrorCode;
  readonly retryAfterMs: number | undefined;

  /** `detail` is for logs; a client sees only the code's fixed sentence unless `public: true` says the detail is safe. */
  readonly isPublic: boolean;

  constructor(
    code: ErrorCode,
    detail?: string,
    options: ErrorOptions & { retryAfterMs?: number; public?: boolean } = {},
  ) {
    super(detail ?? ERROR_TABLE[code].message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryAfterMs = options.retryAfterMs;
    this.isPublic = options.public ?? false;
  }

  get retryable(): boolean {
    return ERROR_TABLE[this.code].retryable;
  }

  get closeCode(): number {
    return ERROR_TABLE[this.code].close;
  }

  toWire(): WireError {
    return {
      code: this.code,
      message: this.isPublic ? this.message : ERROR_TABLE[this.code].message,
      retryable: this.retryable,
      ...(this.retryAfterMs === undefined ? {} : { retryAfterMs: this.retryAfterMs }),
    };
  }

  /** Already ours, or `internal` with the original as cause. */
  static from(reason: unknown, code: ErrorCode = 'internal'): VoiceError {
    if (reason instanceof VoiceError) return reason;
    const detail = reason instanceof Error ? reason.message : String(reason);
    return new VoiceError(code, detail, { cause: reason });
  }
}
