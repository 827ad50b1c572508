import type { SessionId } from '@parley/protocol';
import { newTrace, recordSpan } from '@parley/runtime';

/** When an utterance was what; Redis TIME in milliseconds. */
export interface UtteranceTimes {
  readonly onsetMs: number;
  readonly lastSpeechMs: number;
  readonly decidedMs: number;
  /** Its end was in the log. */
  readonly writtenMs: number;
}

/**
 * The trace of the utterance that is being heard: a turn's trace begins with its first sample of speech. Its root is
 * recorded by the owner, who sees the end of the turn; the listener records its own part when it is over, so that nothing
 * is lost of an utterance that changes hands.
 */
export class UtteranceTrace {
  #utterance: number | undefined;
  #traceparent: string | undefined;

  /** `traceparent` of the turn that the utterance begins. */
  of(utterance: number): string | undefined {
    if (this.#utterance !== utterance) {
      this.#utterance = utterance;
      this.#traceparent = newTrace();
    }
    return this.#traceparent;
  }

  /** Goes on with the trace that a predecessor began. */
  continue(utterance: number, traceparent: string): void {
    this.#utterance = utterance;
    this.#traceparent = traceparent;
  }
}

/** Records the listener's part in the trace of an utterance that has been heard to its end. */
export function recordUtterance(
  { session, utterance, trace }: { session: SessionId; utterance: number; trace: string | undefined },
  { onsetMs, lastSpeechMs, decidedMs, writtenMs }: UtteranceTimes,
): void {
  if (trace === undefined) return;
  const attributes = { 'parley.session': session, 'parley.utterance': utterance };
  recordSpan('listening', { parent: trace, attributes, startMs: onsetMs }, lastSpeechMs);
  const decisionMs = Math.max(0, decidedMs - lastSpeechMs);
  recordSpan(
    'end-of-turn',
    { parent: trace, attributes: { ...attributes, 'parley.decision_ms': decisionMs }, startMs: lastSpeechMs },
    writtenMs,
  );
}
