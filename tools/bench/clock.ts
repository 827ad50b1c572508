/** Milliseconds of the machine's monotonic clock, which all processes share. */
export const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1e6;

const TICKS = 20;

/**
 * What to add to the monotonic clock to get the wall clock, to some microseconds: the times of events come from Redis, by
 * the wall clock and in whole milliseconds.
 */
export function wallClockOffsetMs(): number {
  let offset = Number.NEGATIVE_INFINITY;
  let last = Date.now();
  for (let tick = 0; tick < TICKS; ) {
    const now = Date.now();
    if (now === last) continue;
    // Read a little after the tick at worst, so that the greatest is the nearest.
    offset = Math.max(offset, now - monotonicMs());
    last = now;
    tick += 1;
  }
  return offset;
}

/** The middle of the millisecond in which Redis wrote an event, on the monotonic clock. */
export const eventTimeMs = (at: number, offsetMs: number): number => at + 0.5 - offsetMs;
