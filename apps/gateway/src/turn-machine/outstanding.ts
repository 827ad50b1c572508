import type { WorkRef } from '@parley/protocol';
import type { ReplyState, TurnState } from './state.ts';

/** One offer of a piece of work. */
export interface WorkTry {
  readonly ref: WorkRef;
  readonly try: number;
}

/** Work of a reply that somebody should hold now. */
export function workOf(reply: ReplyState | null): WorkTry[] {
  if (!reply) return [];
  const { turn, attempt } = reply;
  const outstanding: WorkTry[] = reply.done ? [] : [{ ref: { stage: 'reply', turn, attempt }, try: reply.try }];
  for (const [clause, { status, try: number }] of reply.clauses.entries()) {
    if (status === 'offered') outstanding.push({ ref: { stage: 'speak', turn, attempt, clause }, try: number });
  }
  return outstanding;
}

/** All work that somebody should hold now, by which the owner watches. */
export const outstandingWork = ({ reply, speculative }: TurnState): WorkTry[] => [
  ...workOf(reply),
  ...workOf(speculative),
];
