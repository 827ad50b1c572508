import type { Part } from './part.ts';
import { hopsPart } from './parts/hops.ts';
import { turnPart } from './parts/turn.ts';

/** All parts, in the order of their worth. */
export const PARTS: readonly Part[] = [turnPart, hopsPart];
