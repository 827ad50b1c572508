import type { Part } from './part.ts';
import { bargeInPart } from './parts/barge-in.ts';
import { costPart } from './parts/cost.ts';
import { endsPart } from './parts/ends.ts';
import { gatewayPart } from './parts/gateway.ts';
import { hopsPart } from './parts/hops.ts';
import { soakPart } from './parts/soak.ts';
import { turnPart } from './parts/turn.ts';
import { turnsPart } from './parts/turns.ts';
import { vadPart } from './parts/vad.ts';

/** All parts, in the order of their worth. */
export const PARTS: readonly Part[] = [
  turnPart,
  hopsPart,
  gatewayPart,
  vadPart,
  bargeInPart,
  costPart,
  endsPart,
  turnsPart,
  soakPart,
];
