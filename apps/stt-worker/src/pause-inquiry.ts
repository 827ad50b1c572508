import type { Clock } from '@parley/runtime';
import type { PauseEvidence } from './endpointing.ts';
import type { Pause } from './hearing.ts';

export interface PauseInquiryOptions {
  readonly pause: Pause;
  /** Where hearing stood when the pause was noticed. */
  readonly sample: number;
  readonly clock: Clock;
  /** How long the end of the turn waits for what the sound tells. */
  readonly soundLimitMs: number;
  /** More is known of the pause than before: its words at first. */
  onEvidence(evidence: PauseEvidence): void;
}

export type SoundInquiry = 'unasked' | 'due' | 'overdue' | 'told';

/**
 * Finds out about one pause: what its words tell, and how it sounds.
 *
 * | sound   | means                                                    | leaves for                                   |
 * | ------- | -------------------------------------------------------- | -------------------------------------------- |
 * | unasked | words alone count                                        | due                                          |
 * | due     | words count, but do not end the turn                     | told by the answer, overdue after the limit  |
 * | overdue | words may end the turn; an answer before that counts too | told by the answer                           |
 * | told    | the answer counts, if there is one                       | –                                            |
 *
 * A language model may be asked about the words as well. Nobody waits for it: its answer counts when it comes.
 * `end` says that the pause is over: from then on nothing is told any more.
 */
export class PauseInquiry {
  readonly pause: Pause;
  readonly sample: number;
  readonly #options: PauseInquiryOptions;
  readonly #startMs: number;
  readonly #over = new AbortController();
  #sound: SoundInquiry = 'unasked';
  #soundProbability: number | undefined;
  #completeness: number | undefined;
  #languageModelProbability: number | undefined;
  #cancelLimit: () => void = () => undefined;

  constructor(options: PauseInquiryOptions) {
    this.pause = options.pause;
    this.sample = options.sample;
    this.#options = options;
    this.#startMs = options.clock.nowMs();
  }

  get waitedMs(): number {
    return this.#options.clock.nowMs() - this.#startMs;
  }

  get knowsWords(): boolean {
    return this.#completeness !== undefined;
  }

  get sound(): SoundInquiry {
    return this.#sound;
  }

  /** Puts the sound to a judge, which is told by the signal that the pause is over. */
  askSound(score: (signal: AbortSignal) => Promise<number | undefined>): void {
    if (this.#over.signal.aborted) return;
    const { clock, soundLimitMs } = this.#options;
    this.#sound = 'due';
    this.#cancelLimit = clock.setTimeout(() => {
      this.#sound = 'overdue';
      this.#tell();
    }, soundLimitMs);
    void score(this.#over.signal).then((probability) => {
      this.#cancelLimit();
      this.#sound = 'told';
      this.#soundProbability = probability;
      this.#tell();
    });
  }

  /** Puts the words to a language model, once they are known. */
  askLanguageModel(score: (signal: AbortSignal) => Promise<number | undefined>): void {
    if (this.#over.signal.aborted) return;
    void score(this.#over.signal).then((probability) => {
      if (probability === undefined) return;
      this.#languageModelProbability = probability;
      this.#tell();
    });
  }

  /** Takes how complete the words are: 0 where there is none. */
  tellWords(completeness: number): void {
    this.#completeness = completeness;
    this.#tell();
  }

  end(): void {
    this.#cancelLimit();
    this.#over.abort();
  }

  #tell(): void {
    const completeness = this.#completeness;
    if (completeness === undefined || this.#over.signal.aborted) return;
    this.#options.onEvidence({
      hasWords: completeness > 0,
      completeness,
      soundProbability: this.#soundProbability,
      languageModelProbability: this.#languageModelProbability,
      isSoundDue: this.#sound === 'due',
    });
  }
}
