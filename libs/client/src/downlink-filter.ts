import { type DownlinkAudio, type Reply, sameReply } from '@parley/protocol';

/** How much of a reply has come in. */
export interface ReceivedReply extends Reply {
  /** First sample of the reply that has not come in yet. */
  readonly received: number;
}

/**
 * Lets each sample of a reply through once and nothing of an old generation, whatever a resumed connection sends again.
 */
export class DownlinkFilter {
  #generation = 0;
  #reply: ReceivedReply | undefined;
  #ended = false;
  #duplicateSamples = 0;

  get generation(): number {
    return this.#generation;
  }

  /** The newest reply of which audio has come. */
  get reply(): ReceivedReply | undefined {
    return this.#reply;
  }

  /** Whether so many samples are all that there is of a reply. */
  isWhole(reply: Reply, samples: number): boolean {
    return this.#ended && sameReply(this.#reply, reply) && samples >= (this.#reply?.received ?? 0);
  }

  /** Samples that came again and were dropped. */
  get duplicateSamples(): number {
    return this.#duplicateSamples;
  }

  /** Audio of generations below this one is not wanted any more. Tells whether that is news. */
  raise(generation: number): boolean {
    if (generation <= this.#generation) return false;
    this.#generation = generation;
    return true;
  }

  /** What is new of a frame, cut to begin at the first sample that is missing; undefined for nothing. */
  accept(frame: DownlinkAudio): DownlinkAudio | undefined {
    if (frame.generation < this.#generation || this.#isOlder(frame)) return undefined;
    this.raise(frame.generation);
    const reply: ReceivedReply =
      this.#reply && sameReply(this.#reply, frame)
        ? this.#reply
        : { turn: frame.turn, attempt: frame.attempt, received: 0 };
    if (reply !== this.#reply) this.#ended = false;
    const samples = frame.pcm.byteLength / 2;
    const end = frame.startSample + samples;
    const duplicate = Math.min(samples, Math.max(0, reply.received - frame.startSample));
    this.#duplicateSamples += duplicate;
    const tellsEnd = frame.endOfReply && !this.#ended;
    this.#reply = { ...reply, received: Math.max(reply.received, end) };
    this.#ended ||= frame.endOfReply;
    if (duplicate === samples && !tellsEnd) return undefined;
    return duplicate === 0
      ? frame
      : { ...frame, startSample: frame.startSample + duplicate, pcm: frame.pcm.subarray(duplicate * 2) };
  }

  #isOlder(frame: Reply): boolean {
    if (!this.#reply) return false;
    return frame.turn < this.#reply.turn || (frame.turn === this.#reply.turn && frame.attempt < this.#reply.attempt);
  }
}
