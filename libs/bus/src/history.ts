import { type HistoryMessage, HistoryMessageSchema } from '@parley/protocol';
import { decodeJson } from './lane.ts';

/** Messages as they lie in Redis; what a newer or broken writer has put among them is left out. */
export const decodeHistory = (rows: readonly string[]): HistoryMessage[] =>
  rows.map((row) => decodeJson(HistoryMessageSchema, row)).filter((message) => message !== undefined);
