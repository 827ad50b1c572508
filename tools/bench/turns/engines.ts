import {
  type LlmRequest,
  type ScriptedLlm,
  type ScriptedTts,
  startScriptedLlm,
  startScriptedTts,
  type TtsBehaviour,
} from '@parley/testkit';

/** How the scripted engines behave. */
export interface EnginePace {
  readonly firstTokenMs: number;
  readonly tokensPerSecond: number;
  readonly firstByteMs: number;
  /** Time to make a second of speech, as a share of that second. */
  readonly realTimeFactor: number;
}

/** A request to the language model as it saw it. */
export interface Asked {
  readonly session: string;
  /** In the reply's text, so that it can be found again in what was spoken and heard. */
  readonly number: number;
  readonly requestedMs: number;
  readonly messages: LlmRequest['messages'];
  readonly text: string;
}

/** The reply to what a user said, with a number of its own in it. */
export type Answer = (number: number, userText: string) => string;

/** Exact, so that what was heard of a text can be told from how long it was heard. */
export const SECONDS_PER_CHARACTER = 0.06;
/** How a session is told from the others: in its system prompt. */
const SESSION = /session (s\d+)\b/;
const NUMBER = /\bnumber (\d+)\b/;

/** Scripted engines over real HTTP that remember which session asked for what, and when. */
export class Engines {
  readonly asked: Asked[] = [];
  /** When speech with a reply's number in it was asked for. */
  readonly spokenMs = new Map<number, number>();
  readonly llm: ScriptedLlm;
  readonly tts: ScriptedTts;
  #pace: EnginePace;
  #sessions = 0;
  readonly #answers = new Map<string, Answer>();

  private constructor(llm: ScriptedLlm, tts: ScriptedTts, pace: EnginePace) {
    this.llm = llm;
    this.tts = tts;
    this.#pace = pace;
  }

  static async start(pace: EnginePace): Promise<Engines> {
    const llm = await startScriptedLlm();
    const tts = await startScriptedTts();
    const engines = new Engines(llm, tts, pace);
    llm.setBehaviour({ script: (request) => engines.#answer(request) });
    engines.setPace(pace);
    return engines;
  }

  get pace(): EnginePace {
    return this.#pace;
  }

  setPace(pace: EnginePace): void {
    this.#pace = pace;
    const { firstTokenMs, tokensPerSecond, firstByteMs, realTimeFactor } = pace;
    this.llm.setBehaviour({ firstTokenMs, tokensPerSecond });
    const note = (text: string): number => {
      const number = numberIn(text);
      if (number !== undefined && !this.spokenMs.has(number)) this.spokenMs.set(number, performance.now());
      return 300;
    };
    const voice: TtsBehaviour = { firstByteMs, realTimeFactor, secondsPerCharacter: SECONDS_PER_CHARACTER };
    this.tts.setBehaviour({ ...voice, toneHz: note });
  }

  /** The system prompt of a new session whose replies are these; its name is for `of`. */
  enrol(answer: Answer): {
    readonly name: string;
    readonly instructions: string;
  } {
    this.#sessions += 1;
    const name = `s${this.#sessions}`;
    this.#answers.set(name, answer);
    return { name, instructions: `You are in session ${name}.` };
  }

  /** What a session asked for. */
  of(session: string): readonly Asked[] {
    return this.asked.filter((one) => one.session === session);
  }

  /** When a request was aborted by its client; undefined if it was not. */
  abortedMs(asked: Asked): number | undefined {
    return this.llm.aborts.find(({ request }) => request.messages === asked.messages)?.atMs;
  }

  async close(): Promise<void> {
    await Promise.all([this.llm.close(), this.tts.close()]);
  }

  #answer(request: LlmRequest): string {
    const { messages } = request;
    const session = SESSION.exec(messages[0]?.content ?? '')?.[1] ?? '';
    const number = this.asked.length + 1;
    const userText = messages.findLast(({ role }) => role === 'user')?.content ?? '';
    const text = this.#answers.get(session)?.(number, userText) ?? '';
    if (request.max_tokens !== 1) this.asked.push({ session, number, requestedMs: performance.now(), messages, text });
    return text;
  }
}

/** The number by which a reply can be found. */
export function numberIn(text: string): number | undefined {
  const digits = NUMBER.exec(text)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
