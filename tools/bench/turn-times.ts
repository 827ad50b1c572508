import { connectBus } from '@parley/bus';
import { createLogger, createMetrics } from '@parley/runtime';
import { eventTimeMs, wallClockOffsetMs } from './clock.ts';
import type { EngineTimes } from './engines/script.ts';
import type { Lab } from './lab.ts';
import type { TurnSeen } from './talkers/plan.ts';
import type { Talkers } from './talkers/talkers.ts';

const MAX_EVENTS = 10_000;

/** Where the time of a turn went, in milliseconds. */
export interface TurnTimes {
  readonly overhead: number;
  readonly quantisation: number;
  readonly hear: number;
  readonly decide: number;
  readonly askLlm: number;
  readonly llm: number;
  readonly clause: number;
  readonly askTts: number;
  readonly tts: number;
  readonly chunk: number;
  readonly send: number;
}

/** Puts together what the talkers, the engines and the logs of the sessions say of each turn. */
export async function turnTimes(lab: Lab, { talk }: Talkers, warmUpTurns: number): Promise<TurnTimes[]> {
  const audioAt = await firstAudioInLogs(lab, new Set(talk.turns.map(({ session }) => session)));
  const offsetMs = wallClockOffsetMs();
  return (await answeredTurns(lab, talk.turns, warmUpTurns)).flatMap(({ turn, asked, spoken }) => {
    const chunkAt = audioAt.get(`${turn.session} ${turn.turn}`);
    if (chunkAt === undefined) return [];
    return [timesOf(turn, { asked, spoken, chunkMs: eventTimeMs(chunkAt, offsetMs), offsetMs })];
  });
}

/** The overhead of each turn alone, for which no log is needed: the gateway forgets what clients acknowledge. */
export async function turnOverheads(lab: Lab, { talk }: Talkers, warmUpTurns: number): Promise<number[]> {
  const answered = await answeredTurns(lab, talk.turns, warmUpTurns);
  return answered.map(({ turn, asked, spoken }) => overheadOf(turn, asked, spoken));
}

type Done = EngineTimes & { readonly firstMs: number };

/** Turns of which the engines know, but for the first ones of each session. */
async function answeredTurns(lab: Lab, turns: readonly TurnSeen[], warmUpTurns: number) {
  const log = await lab.engineLog();
  const llm = byNumber(log.llm);
  const tts = byNumber(log.tts);
  return turns.flatMap((turn) => {
    const asked = llm.get(turn.number);
    const spoken = tts.get(turn.number);
    return asked && spoken && turn.turn > warmUpTurns ? [{ turn, asked, spoken }] : [];
  });
}

const engineMs = ({ firstMs, requestedMs }: Done): number => firstMs - requestedMs;
const overheadOf = (turn: TurnSeen, asked: Done, spoken: Done): number =>
  turn.firstAudioMs - turn.askedMs - engineMs(asked) - engineMs(spoken);

interface Stamps {
  readonly asked: Done;
  readonly spoken: Done;
  readonly chunkMs: number;
  readonly offsetMs: number;
}

function timesOf(turn: TurnSeen, { asked, spoken, chunkMs, offsetMs }: Stamps): TurnTimes {
  const endedMs = eventTimeMs(turn.endedAt, offsetMs);
  const startedMs = eventTimeMs(turn.startedAt, offsetMs);
  const clauseMs = eventTimeMs(turn.clauseAt, offsetMs);
  return {
    overhead: overheadOf(turn, asked, spoken),
    quantisation: turn.quantisationMs,
    hear: endedMs - turn.askedMs,
    decide: startedMs - endedMs,
    askLlm: asked.requestedMs - startedMs,
    llm: engineMs(asked),
    clause: clauseMs - asked.firstMs,
    askTts: spoken.requestedMs - clauseMs,
    tts: engineMs(spoken),
    chunk: chunkMs - spoken.firstMs,
    send: turn.firstAudioMs - chunkMs,
  };
}

/** Answers that have begun, by their number. */
function byNumber(times: readonly EngineTimes[]): Map<string, Done> {
  return new Map(
    times.flatMap(({ firstMs, ...rest }) => (firstMs === undefined ? [] : [[rest.number, { ...rest, firstMs }]])),
  );
}

/** When the first audio of each turn came into the log; the talkers are not told of it. */
async function firstAudioInLogs(lab: Lab, sessions: ReadonlySet<string>): Promise<Map<string, number>> {
  const bus = await connectBus({
    url: lab.redis.url,
    process: { id: 'bench', host: 'localhost', pid: process.pid },
    logger: createLogger({ name: 'bench', level: 'silent' }),
    metrics: createMetrics({ processMetrics: false }),
  });
  const found = new Map<string, number>();
  try {
    for (const session of sessions) {
      for (const event of await bus.log.read(session, '0-0', MAX_EVENTS)) {
        if (event.type !== 'audio.chunk' || event.clause !== 0 || event.startSample !== 0) continue;
        found.set(`${session} ${event.turn}`, event.at);
      }
    }
  } finally {
    await bus.close();
  }
  return found;
}
