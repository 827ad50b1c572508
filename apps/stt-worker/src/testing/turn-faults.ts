/** What the faulty end-of-turn thread does when it is asked about so many samples. */
export const FAULTS = { throw: 1, exit: 2, slow: 3 } as const;
