import type { Bus } from '@parley/bus';
import { isSessionId, type ProcessRef, parseWorkKey, type SessionId } from '@parley/protocol';

/** Who holds what of a session, as Redis has it now; the same from every gateway. */
export interface SessionDebug {
  readonly session: SessionId;
  readonly epoch: number;
  readonly owner: ProcessRef;
  readonly listener: (ProcessRef & { readonly fence: string }) | null;
  /** Running claims only. */
  readonly claims: readonly ClaimDebug[];
  readonly cursors: { readonly event: string; readonly audio: number; readonly input: number };
}

interface ClaimDebug extends ProcessRef {
  readonly stage: 'reply' | 'speak';
  readonly reply: { readonly turn: number; readonly attempt: number };
  readonly clause: number | null;
  readonly try: number;
  readonly fence: string;
}

/** Undefined for a session that is not there. Tells nothing of what was said. */
export async function debugSession(bus: Bus, session: string): Promise<SessionDebug | undefined> {
  if (!isSessionId(session)) return undefined;
  const found = await bus.registry.inspect(session);
  if (!found) return undefined;
  const claims = found.work.flatMap(({ key, try: number, fence, holder, done, cancelled }): ClaimDebug[] => {
    const ref = parseWorkKey(key);
    if (!ref || !holder || !fence || done || cancelled) return [];
    const { stage, turn, attempt } = ref;
    const clause = ref.stage === 'speak' ? ref.clause : null;
    return [{ stage, reply: { turn, attempt }, clause, try: number, ...holder, fence }];
  });
  return {
    session,
    epoch: found.epoch,
    owner: found.owner,
    listener: found.listener ?? null,
    claims,
    cursors: { event: found.eventCursor, audio: found.audioCursor, input: found.inputSample },
  };
}
