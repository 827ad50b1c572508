import type { Bus } from '@parley/bus';
import type { EventId, Reply, SessionId } from '@parley/protocol';

/** Events of the log that are read at a time. */
const LOG_PAGE = 1_000;

/** What earlier tries have published of a reply. */
export interface Published {
  /** Clauses in order. They are spoken and cannot be taken back. */
  readonly clauses: readonly string[];
  /** Text shown beyond the last clause; empty where it is not known any more. */
  readonly tail: string;
}

export const NOTHING_PUBLISHED: Published = { clauses: [], tail: '' };

/**
 * Finds out what earlier tries have published. The owner names the clauses it knew of when it offered the work again; a
 * holder may have published more in the moment before its claim was lost, and these are in the log. `shownChars` is
 * the number of characters that deltas have carried.
 */
export async function readPublished(
  bus: Bus,
  session: SessionId,
  { turn, attempt }: Reply,
  { known, shownChars }: { readonly known: readonly string[]; readonly shownChars: number },
): Promise<Published> {
  const clauses = [...known];
  let shown = '';
  for (let after: EventId | undefined = '0-0'; after !== undefined; ) {
    const page = await bus.log.read(session, after, LOG_PAGE);
    for (const event of page) {
      if (!('attempt' in event) || event.turn !== turn || event.attempt !== attempt) continue;
      if (event.type === 'reply.delta') shown += event.text;
      if (event.type === 'reply.clause' && event.clause === clauses.length) clauses.push(event.text);
    }
    after = page.at(-1)?.id;
  }
  const saidChars = clauses.join('').length;
  // The log may have been trimmed meanwhile.
  return { clauses, tail: shown.length === shownChars ? shown.slice(saidChars) : '' };
}
