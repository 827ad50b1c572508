import {
  ERROR_TABLE,
  type Reply,
  type ReplyInput,
  type SessionEvent,
  type SpeakInput,
  sameReply,
} from '@parley/protocol';
import { apologyIn } from './apologies.ts';
import { joinClauses, knownSamples, playableSamples, segmenter } from './heard.ts';
import { workOf } from './outstanding.ts';
import {
  type ClauseState,
  FIRST_AUDIO_BUDGET_MS,
  MAX_DEATHS,
  MAX_HELD_CLAUSES,
  MAX_LEAD_MS,
  MAX_OFFERED_CLAUSES,
  type ReplyState,
  type TurnState,
} from './state.ts';
import type { Decisions, Transition } from './step.ts';

const EMPTY_CLAUSE: ClauseState = { text: '', status: 'waiting', from: 0, try: 1, deaths: 0, samples: 0 };

/** The reply an event belongs to, on stage or speculative, if it is still open. */
const current = (state: TurnState, event: Reply): ReplyState | undefined =>
  [state.reply, state.speculative].find((reply) => sameReply(reply ?? undefined, event)) ?? undefined;

/** Puts a changed reply where it was. */
const withReply = (state: TurnState, reply: ReplyState): TurnState =>
  sameReply(state.speculative ?? undefined, reply) ? { ...state, speculative: reply } : { ...state, reply };

const withClause = (reply: ReplyState, index: number, change: Partial<ClauseState>): ReplyState => ({
  ...reply,
  clauses: reply.clauses.map((clause, i) => (i === index ? { ...clause, ...change } : clause)),
});

const replyInput = (state: TurnState, reply: ReplyState): string => {
  const published = reply.clauses.map((clause) => clause.text);
  const input: ReplyInput = {
    text: reply.text,
    language: state.settings.language,
    ...(published.length > 0 ? { published } : {}),
    ...(reply.origin === undefined ? {} : { origin: reply.origin }),
  };
  return JSON.stringify(input);
};

const speakInput = (state: TurnState, text: string): string => {
  const { voice, speed, language, outputRateHz } = state.settings;
  return JSON.stringify({ text, voice, speed, language, rateHz: outputRateHz } satisfies SpeakInput);
};

/** What a reply answers, and when and how it begins. */
export interface ReplyStart {
  readonly turn: number;
  readonly text: string;
  readonly at: number;
  readonly trace: string | undefined;
  /** Speculative: begun behind the stage. */
  readonly held?: boolean;
}

/** A reply of which nothing has been said yet, as the next attempt at its turn. */
export function newReply(state: TurnState, start: ReplyStart): ReplyState {
  const { turn, text, at, trace, held = false } = start;
  return {
    turn,
    attempt: nextAttempt(state, turn),
    text,
    held,
    heldText: '',
    generation: state.generation + 1,
    try: 1,
    deaths: 0,
    done: false,
    clauses: [],
    played: 0,
    decidedAt: at,
    trace,
  };
}

const nextAttempt = ({ attempted }: TurnState, turn: number): number =>
  (attempted.findLast((reply) => reply.turn === turn)?.attempt ?? -1) + 1;

/** Remembers the attempt. Only the current turn can be attempted again, and the next one while it is prepared. */
const withAttempt = ({ attempted }: TurnState, { turn, attempt }: Reply): readonly Reply[] => [
  ...attempted.filter((reply) => reply.turn !== turn).slice(-1),
  { turn, attempt },
];

/** Puts a new reply on stage, under a generation of its own; whatever it might have gone on from is over. */
export const onStage = (state: TurnState, reply: ReplyState): TurnState => ({
  ...state,
  reply,
  generation: reply.generation,
  attempted: withAttempt(state, reply),
  reopened: null,
  resumable: null,
});

/**
 * Starts answering a turn. The user's message must be in the history, or be put there in this step; for a speculative
 * reply it comes with the release.
 */
export function startReply(state: TurnState, start: ReplyStart, decide: Decisions): TurnState {
  const reply = newReply(state, start);
  const { turn, attempt, trace } = reply;
  askModel(state, reply, 0, decide);
  decide.events.push({ type: 'reply.started', turn, attempt, trace, ...(reply.held ? { held: true } : {}) });
  // The turn before is not over while it may still go on instead.
  if (reply.held) return { ...state, speculative: reply, attempted: withAttempt(state, reply) };
  decide.work.dropTurnsBefore = turn;
  return onStage(state, reply);
}

/** Offers a reply to the language models; `published` characters of it have been said already. */
export function askModel(state: TurnState, reply: ReplyState, published: number, decide: Decisions): void {
  const ref = { stage: 'reply', turn: reply.turn, attempt: reply.attempt } as const;
  decide.work.create.push({
    ref,
    input: replyInput(state, reply),
    ...(published > 0 ? { resumeAt: published } : {}),
  });
  decide.commands.push({
    queue: 'reply',
    ref,
    try: 1,
    deadlineMs: reply.decidedAt + FIRST_AUDIO_BUDGET_MS,
    trace: reply.trace,
    ...(reply.held ? { held: true } : {}),
  });
}

/** Milliseconds of speech made and not yet played. */
const leadMs = (state: TurnState, reply: ReplyState): number =>
  ((knownSamples(reply.clauses) - reply.played) / state.settings.outputRateHz) * 1_000;

/** Offers further clauses: at most two unfinished, and none while the user has enough left to hear. */
export function offerClauses(state: TurnState, reply: ReplyState, at: number, decide: Decisions): ReplyState {
  let next = reply;
  if (state.settings.textOnly) return next;
  const lead = leadMs(state, reply);
  let offered = reply.clauses.filter((clause) => clause.status === 'offered').length;
  for (const [index, clause] of reply.clauses.entries()) {
    if (clause.status !== 'waiting') continue;
    if (offered >= MAX_OFFERED_CLAUSES || lead >= MAX_LEAD_MS) break;
    if (reply.held && index >= MAX_HELD_CLAUSES) break;
    const ref = { stage: 'speak', turn: reply.turn, attempt: reply.attempt, clause: index } as const;
    decide.work.create.push({ ref, input: speakInput(state, clause.text.slice(clause.from)) });
    decide.commands.push({
      queue: 'speak',
      ref,
      try: 1,
      deadlineMs: clauseDeadline(state, next, index, at),
      trace: reply.trace,
    });
    next = withClause(next, index, { status: 'offered' });
    offered += 1;
  }
  return next;
}

/** First clause: end of turn plus budget. Later ones: the moment at which the user would run dry. */
const clauseDeadline = (state: TurnState, reply: ReplyState, index: number, at: number): number =>
  index === 0 ? reply.decidedAt + FIRST_AUDIO_BUDGET_MS : at + Math.max(0, leadMs(state, reply));

/** Ends the reply once all has been said, synthesised and played: what was heard goes into the history. */
export function finishIfPlayed(state: TurnState, decide: Decisions): TurnState {
  const { reply } = state;
  if (!reply?.done) return state;
  const { textOnly } = state.settings;
  const isMade = ({ status }: ClauseState) => textOnly || (status !== 'waiting' && status !== 'offered');
  if (!reply.clauses.every(isMade) || reply.played < knownSamples(reply.clauses)) return state;
  const wasHeard = ({ status, samples }: ClauseState) =>
    textOnly ? status !== 'passed' : status === 'done' && samples > 0;
  const text = joinClauses(reply.clauses.filter(wasHeard).map((clause) => clause.text.slice(clause.from)));
  if (text === '') return { ...state, reply: null };
  decide.history.push({ push: { role: 'assistant', turn: reply.turn, attempt: reply.attempt, text } });
  return { ...state, reply: null, historyLength: state.historyLength + 1 };
}

/** While a reply is held, what the model says is kept for its release. */
export const onReplyDelta: Transition<SessionEvent<'reply.delta'>> = (state, event) => {
  const { speculative } = state;
  if (!speculative || !sameReply(speculative, event)) return state;
  return { ...state, speculative: { ...speculative, heldText: speculative.heldText + event.text } };
};

export const onReplyClause: Transition<SessionEvent<'reply.clause'>> = (state, event, decide) => {
  const reply = current(state, event);
  if (!reply || reply.done || event.clause !== reply.clauses.length) return state;
  // What has no text is not spoken, and must not keep the reply from ending.
  const status = event.text.trim() === '' ? 'done' : 'waiting';
  const grown = {
    ...reply,
    deaths: 0,
    clauses: [...reply.clauses, { ...EMPTY_CLAUSE, text: event.text, status } as const],
  };
  return withReply(state, offerClauses(state, grown, event.at, decide));
};

export const onReplyDone: Transition<SessionEvent<'reply.done'>> = (state, event, decide) => {
  const reply = current(state, event);
  if (!reply) return state;
  return finishIfPlayed(withReply(state, { ...reply, done: true, deaths: 0 }), decide);
};

export const onAudioChunk: Transition<SessionEvent<'audio.chunk'>> = (state, event) => {
  const reply = current(state, event);
  const clause = reply?.clauses[event.clause];
  if (!reply || clause?.status !== 'offered') return state;
  const samples = Math.max(clause.samples, event.startSample + event.samples);
  return withReply(state, withClause(reply, event.clause, { samples, deaths: 0 }));
};

export const onAudioDone: Transition<SessionEvent<'audio.done'>> = (state, event, decide) => {
  const reply = current(state, event);
  const clause = reply?.clauses[event.clause];
  if (!reply || clause?.status !== 'offered') return state;
  // What has been published is there to be heard, whatever a later try counts.
  const samples = Math.max(clause.samples, event.samples);
  const done = withClause(reply, event.clause, { status: 'done', samples, deaths: 0 });
  return finishIfPlayed(withReply(state, offerClauses(state, done, event.at, decide)), decide);
};

export const onPlayback: Transition<SessionEvent<'playback'>> = (state, event, decide) => {
  const reply = current(state, event);
  if (!reply || reply.held || event.samples <= reply.played) return state;
  const played = { ...reply, played: Math.min(event.samples, playableSamples(reply.clauses)) };
  return finishIfPlayed(withReply(state, offerClauses(state, played, event.at, decide)), decide);
};

/** What happened to a holder of work of the current reply. */
interface Loss {
  readonly stage: 'reply' | 'speak';
  readonly turn: number;
  readonly attempt: number;
  readonly clause: number;
  readonly try: number;
  /** Another try can help. */
  readonly retryable: boolean;
  /** Counts against the work itself. */
  readonly death: boolean;
  readonly code: string;
  readonly at: number;
}

/** Offers lost work again, or gives it up once it has cost too many holders. */
export function workLost(state: TurnState, loss: Loss, decide: Decisions): TurnState {
  const reply = current(state, loss);
  if (!reply) return state;
  return loss.stage === 'reply' ? replyLost(state, reply, loss, decide) : clauseLost(state, reply, loss, decide);
}

function replyLost(state: TurnState, reply: ReplyState, loss: Loss, decide: Decisions): TurnState {
  if (reply.done || reply.try !== loss.try) return state;
  const deaths = reply.deaths + (loss.death ? 1 : 0);
  const ref = { stage: 'reply', turn: reply.turn, attempt: reply.attempt } as const;
  if (loss.retryable && deaths < MAX_DEATHS) {
    const retry = { ...reply, deaths, try: reply.try + 1 };
    decide.work.raiseTry.push({ ref, try: retry.try, input: replyInput(state, reply) });
    const command = { queue: 'reply', ref, try: retry.try, deadlineMs: loss.at, trace: reply.trace } as const;
    decide.commands.push({ ...command, ...(reply.held ? { held: true } : {}) });
    return withReply(state, retry);
  }
  if (reply.held) return discard(state, decide);
  decide.events.push(failure(loss, deaths));
  // What killed this reply's workers would kill those of every later one if they were told of it again.
  if (deaths >= MAX_DEATHS) {
    decide.history.push({ set: state.userIndex, message: { role: 'user', turn: reply.turn, text: '' } });
  }
  if (reply.clauses.length > 0) {
    // Something has been said: it is played to its end, and the reply ends there. The holder may only have been frozen:
    // a try that nobody is offered takes its claim away.
    decide.work.raiseTry.push({ ref, try: reply.try + 1 });
    return finishIfPlayed(withReply(state, { ...reply, deaths, done: true }), decide);
  }
  decide.work.cancel.push({ turn: reply.turn, attempt: reply.attempt });
  decide.events.push({ type: 'reply.cancelled', turn: reply.turn, attempt: reply.attempt, reason: 'failed' });
  const { turn, trace } = reply;
  return say({ ...state, reply: null }, { turn, text: apologyIn(state.settings.language), at: loss.at, trace }, decide);
}

function clauseLost(state: TurnState, reply: ReplyState, loss: Loss, decide: Decisions): TurnState {
  const clause = reply.clauses[loss.clause];
  if (clause?.status !== 'offered' || clause.try !== loss.try) return state;
  const deaths = clause.deaths + (loss.death ? 1 : 0);
  const ref = { stage: 'speak', turn: reply.turn, attempt: reply.attempt, clause: loss.clause } as const;
  const isGivenUp = !loss.retryable || deaths >= MAX_DEATHS;
  // Nobody waits for it yet, and nobody is to hear of it.
  if (isGivenUp && reply.held) return discard(state, decide);
  // Also where it is given up: the holder may only have been frozen, and must not go on.
  decide.work.raiseTry.push({ ref, try: clause.try + 1 });
  if (!isGivenUp) {
    decide.commands.push({ queue: 'speak', ref, try: clause.try + 1, deadlineMs: loss.at, trace: reply.trace });
    return withReply(state, withClause(reply, loss.clause, { try: clause.try + 1, deaths }));
  }
  decide.events.push(failure(loss, deaths));
  // What was published of it may have been heard; a clause of which nothing came is passed over.
  const given = withClause(reply, loss.clause, { status: clause.samples > 0 ? 'done' : 'failed', deaths });
  return finishIfPlayed(withReply(state, offerClauses(state, given, loss.at, decide)), decide);
}

const failure = (loss: Loss, deaths: number) => {
  const poisoned = deaths >= MAX_DEATHS;
  const unstaffed = loss.code === 'no_worker';
  const reason = unstaffed ? ERROR_TABLE.no_worker.message : 'The engine could not do it.';
  return {
    type: 'stage.failed',
    stage: loss.stage,
    turn: loss.turn,
    attempt: loss.attempt,
    ...(loss.stage === 'speak' ? { clause: loss.clause } : {}),
    code: poisoned ? 'poisoned_input' : loss.code,
    message: poisoned ? 'Given up after several workers failed on it.' : reason,
    retryable: !poisoned && (loss.retryable || unstaffed),
  } as const;
};

/** Drops the speculative reply, if there is one, and cancels it everywhere. Nobody has seen or heard any of it. */
export function discard(state: TurnState, decide: Decisions): TurnState {
  const { speculative } = state;
  if (!speculative) return state;
  const { turn, attempt } = speculative;
  decide.work.cancel.push({ turn, attempt });
  decide.effects.push({ kind: 'cancel', reply: { turn, attempt }, work: workOf(speculative) });
  decide.events.push({ type: 'reply.cancelled', turn, attempt, reason: 'speculation', held: true });
  return { ...state, speculative: null };
}

/**
 * Says a text as it stands, without a language model: a greeting, a prompt, an apology. The owner writes what an
 * llm-worker would.
 */
export function say(
  state: TurnState,
  saying: { turn: number; text: string; at: number; trace: string | undefined },
  decide: Decisions,
): TurnState {
  const begun = newReply(state, { ...saying, text: '' });
  const { turn, attempt, trace } = begun;
  const texts = sentences(saying.text, state.settings.language);
  decide.events.push({ type: 'reply.started', turn, attempt, trace });
  decide.events.push({ type: 'reply.delta', turn, attempt, text: saying.text, trace });
  for (const [clause, text] of texts.entries())
    decide.events.push({ type: 'reply.clause', turn, attempt, clause, text });
  decide.events.push({
    type: 'reply.done',
    turn,
    attempt,
    text: saying.text,
    clauses: texts.length,
    finish: 'verbatim',
  });
  const reply = { ...begun, done: true, clauses: texts.map((text) => ({ ...EMPTY_CLAUSE, text })) };
  const staged = onStage(state, reply);
  return finishIfPlayed(withReply(staged, offerClauses(staged, reply, saying.at, decide)), decide);
}

function sentences(text: string, language: string): string[] {
  const found = [...segmenter(language, 'sentence').segment(text)].map(({ segment }) => segment);
  return found.filter((segment) => segment.trim() !== '');
}
