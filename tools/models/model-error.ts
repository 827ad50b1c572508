/** What can go wrong with a model, and whether asking again may help. */
const CODES = {
  unknown_model: { retryable: false },
  bad_settings: { retryable: false },
  unreachable: { retryable: true },
  not_found: { retryable: false },
  refused: { retryable: false },
  server_failed: { retryable: true },
  broken_off: { retryable: true },
  stalled: { retryable: true },
  bad_response: { retryable: false },
  wrong_size: { retryable: false },
  too_large: { retryable: false },
  wrong_hash: { retryable: false },
  bad_archive: { retryable: false },
  incomplete: { retryable: false },
  in_the_way: { retryable: false },
  bad_lock_file: { retryable: false },
  lock_lost: { retryable: false },
  disk: { retryable: false },
} as const;

export type ModelErrorCode = keyof typeof CODES;

export interface ModelErrorOptions extends ErrorOptions {
  /** What the person can do about it, as a sentence or a command. */
  readonly advice?: string;
  /** The server asked to be left alone for so long. */
  readonly retryAfterMs?: number;
}

/** A failure that a person is told of: what happened, and what to do. */
export class ModelError extends Error {
  override readonly name = 'ModelError';
  readonly code: ModelErrorCode;
  readonly advice: string | undefined;
  readonly retryAfterMs: number;

  constructor(code: ModelErrorCode, message: string, options: ModelErrorOptions = {}) {
    super(message, options);
    this.code = code;
    this.advice = options.advice;
    this.retryAfterMs = options.retryAfterMs ?? 0;
  }

  get retryable(): boolean {
    return CODES[this.code].retryable;
  }

  /** The same failure with the advice that only the caller can give. */
  advising(advice: string): ModelError {
    return new ModelError(this.code, this.message, { advice, cause: this.cause ?? this });
  }

  /** A failure of the file system, in words; anything else as it is. */
  static fromDisk(error: unknown): unknown {
    if (!(error instanceof Error) || !('code' in error) || !('syscall' in error)) return error;
    if (error.code === 'ENOSPC') return new ModelError('disk', 'the disk is full', { cause: error });
    return new ModelError('disk', `the disk failed: ${error.message}`, { cause: error });
  }
}
