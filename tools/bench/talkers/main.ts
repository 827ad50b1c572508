// Talkers in a process of their own, so that what they cost neither counts as Parley's nor delays it.
import { setTimeout as sleep } from 'node:timers/promises';
import { INPUT_RATE_HZ } from '@parley/protocol';
import { monotonicMs } from '../clock.ts';
import { backgroundSamples, questionSamples } from './microphone.ts';
import type { TalkCommand, TalkMessage, TalkPlan } from './plan.ts';
import { Talker } from './talker.ts';

const CLOCK_MS = 2;
const POLL_MS = 20;
const LEAVE_LIMIT_MS = 5_000;

const tell = (message: TalkMessage): void => {
  process.send?.(message);
};
/** In the order in which their frames are due: all have the same period, so that the order never changes. */
const talkers: { readonly talker: Talker; dueMs: number }[] = [];
let next = 0;

async function start(plan: TalkPlan): Promise<void> {
  const question = questionSamples(plan.questionMs);
  const background = backgroundSamples(plan.noiseDbfs);
  const periodMs = (plan.frameSamples / INPUT_RATE_HZ) * 1_000;
  const startMs = monotonicMs();
  runClock(periodMs);
  for (let index = 0; index < plan.sessions; index += 1) {
    await sleep(startMs + (index * 1_000) / plan.connectsPerSecond - monotonicMs());
    const url = plan.urls[index % plan.urls.length] ?? '';
    const talker = new Talker({ plan, url, question, background, tell });
    insert(talker, monotonicMs() + Math.random() * periodMs);
  }
}

function insert(talker: Talker, dueMs: number): void {
  const ordered = [...talkers.slice(next), ...talkers.slice(0, next), { talker, dueMs }];
  ordered.sort((a, b) => a.dueMs - b.dueMs);
  talkers.splice(0, talkers.length, ...ordered);
  next = 0;
}

function runClock(periodMs: number): void {
  const tick = (): void => {
    const nowMs = monotonicMs();
    for (let entry = talkers[next]; entry && entry.dueMs <= nowMs; entry = talkers[next]) {
      entry.dueMs += periodMs;
      entry.talker.tick(nowMs);
      next = (next + 1) % talkers.length;
    }
    setTimeout(tick, CLOCK_MS);
  };
  tick();
}

async function until(condition: (talker: Talker) => boolean, limitMs = Number.POSITIVE_INFINITY): Promise<void> {
  const giveUpMs = monotonicMs() + limitMs;
  while (!talkers.every(({ talker }) => condition(talker)) && monotonicMs() < giveUpMs) await sleep(POLL_MS);
}

async function wait(): Promise<void> {
  await until(({ isDone }) => isDone);
  tell({ type: 'finished' });
}

async function finish(): Promise<void> {
  for (const { talker } of talkers) talker.finish();
  await wait();
}

async function leave(): Promise<void> {
  for (const { talker } of talkers) talker.leave();
  await until(({ isClosed }) => isClosed, LEAVE_LIMIT_MS);
  for (const { talker } of talkers) talker.cut();
  talkers.length = 0;
  tell({ type: 'left' });
}

function count(): void {
  const all = talkers.map(({ talker }) => talker);
  const sum = (of: (talker: Talker) => number): number => all.reduce((total, talker) => total + of(talker), 0);
  tell({
    type: 'counts',
    counts: {
      connected: all.filter(({ isConnected }) => isConnected).length,
      turns: sum(({ completed }) => completed),
      lost: sum(({ lost }) => lost),
      disconnects: sum(({ disconnects }) => disconnects),
      errors: sum(({ errors }) => errors),
      audioFrames: sum(({ audioFrames }) => audioFrames),
      audioSeconds: sum(({ audioSeconds }) => audioSeconds),
    },
  });
}

process.on('message', (command: TalkCommand) => {
  switch (command.do) {
    case 'start':
      return void start(command.plan);
    case 'wait':
      return void wait();
    case 'finish':
      return void finish();
    case 'leave':
      return void leave();
    case 'count':
      return count();
    default:
      return command satisfies never;
  }
});
process.on('disconnect', () => process.exit());
