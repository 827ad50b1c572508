import type { Bus } from '@parley/bus';
import type { EventId, Reply, SessionId } from '@parley/protocol';

/** Events of the log that are read at a time. */
const LOG_PAGE = 1_000;

/**
 * The clauses of a reply that earlier tries have published, in order. The owner names those it knew of when it offered
 * the work again; a holder may have published more in the moment before its claim was lost, and these are in the log.
 */
export async function publishedClauses(
  bus: Bus,
  session: SessionId,
  { turn, attempt }: Reply,
  known: readonly string[],
): Promise<string[]> {
  const clauses = [...known];
  for (let after: EventId | undefined = '0-0'; after !== undefined; ) {
    const page = await bus.log.read(session, after, LOG_PAGE);
    for (const event of page) {
      if (event.type !== 'reply.clause' || event.turn !== turn || event.attempt !== attempt) continue;
      if (event.clause === clauses.length) clauses.push(event.text);
    }
    after = page.at(-1)?.id;
  }
  return clauses;
}
