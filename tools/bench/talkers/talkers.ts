import { Child } from '../child.ts';
import type { InterruptionSeen, TalkCommand, TalkCounts, TalkMessage, TalkPlan, TurnSeen } from './plan.ts';

const CONNECT_LIMIT_MS = 120_000;

/** Everything that talkers saw so far. */
export interface Talk {
  readonly turns: TurnSeen[];
  readonly interruptions: InterruptionSeen[];
  /** Reasons why turns were lost. */
  readonly lost: string[];
  /** Anything else that should not have happened. */
  readonly troubles: string[];
}

/** Talkers at work in a process of their own. */
export class Talkers {
  readonly talk: Talk = { turns: [], interruptions: [], lost: [], troubles: [] };
  readonly #child: Child<TalkCommand, TalkMessage>;

  constructor(child: Child<TalkCommand, TalkMessage>) {
    this.#child = child;
    child.onMessage((message) => {
      switch (message.type) {
        case 'turn':
          return void this.talk.turns.push(message.turn);
        case 'interruption':
          return void this.talk.interruptions.push(message.interruption);
        case 'lost':
          return void this.talk.lost.push(`${message.session} turn ${message.turn}: ${message.why}`);
        case 'trouble':
          return void this.talk.troubles.push(message.why);
        default:
      }
    });
  }

  async counts(): Promise<TalkCounts> {
    return (await this.#child.ask({ do: 'count' }, 'counts')).counts;
  }

  /** Waits until everybody has had as many turns as was planned. */
  async allDone(): Promise<void> {
    await this.#child.ask({ do: 'wait' }, 'finished');
  }

  /** Waits until the open turns are over; nothing new is asked. */
  async finish(): Promise<void> {
    await this.#child.ask({ do: 'finish' }, 'finished');
  }

  /** Ends the sessions. */
  async leave(): Promise<void> {
    await this.#child.ask({ do: 'leave' }, 'left');
    await this.#child.stop();
  }
}

/** Starts talkers and waits until all are connected. */
export async function connectTalkers(plan: TalkPlan): Promise<Talkers> {
  const child = new Child<TalkCommand, TalkMessage>('./talkers/main.ts');
  const talkers = new Talkers(child);
  let missing = plan.sessions;
  let off = (): void => {};
  let timer: NodeJS.Timeout | undefined;
  const connected = new Promise<void>((resolve, reject) => {
    off = child.onMessage((message) => {
      if (message.type !== 'connected') return;
      missing -= 1;
      if (missing === 0) resolve();
    });
    timer = setTimeout(() => {
      const why = talkers.talk.troubles[0] ?? 'no answer';
      reject(new Error(`${missing} of ${plan.sessions} sessions did not open: ${why}`));
    }, CONNECT_LIMIT_MS);
  });
  child.send({ do: 'start', plan });
  try {
    await connected;
  } catch (error) {
    await child.stop();
    throw error;
  } finally {
    clearTimeout(timer);
    off();
  }
  return talkers;
}
