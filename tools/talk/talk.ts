import { writeFile } from 'node:fs/promises';
import { concatInt16, writeWav } from '@parley/audio';
import { connect, type VoiceSession } from '@parley/client';
import { VoiceError } from '@parley/protocol';
import type { TalkOptions } from './args.ts';
import { Conversation, type Interruption, type Question } from './conversation.ts';
import { humanPrinter } from './print-human.ts';
import { jsonPrinter } from './print-json.ts';
import { readRecording } from './recording.ts';
import { TalkFailure } from './talk-failure.ts';

interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** Has the conversation that was asked for. Answers why it failed; undefined when every turn got a spoken answer. */
export async function talk(options: TalkOptions, output: Output, signal: AbortSignal): Promise<string | undefined> {
  try {
    const questions = await readQuestions(options);
    const interruption = await readInterruption(options);
    const session = await open(options);
    const conversing = converse(session, questions, interruption, options, output, signal);
    return await conversing.finally(() => session.close());
  } catch (error) {
    if (error instanceof TalkFailure) return error.message;
    throw error;
  }
}

async function converse(
  session: VoiceSession,
  questions: readonly Question[],
  interruption: Interruption | undefined,
  { json, out, timeoutMs, urls }: TalkOptions,
  output: Output,
  signal: AbortSignal,
): Promise<string | undefined> {
  const printer = json ? jsonPrinter((text) => output.write(text)) : humanPrinter(output);
  const conversation = new Conversation({ session, printer, timeoutMs, signal });
  printer.session(session.session, urls.join(', '));
  const failures: string[] = [];
  conversation.start();
  for (const [index, question] of questions.entries()) {
    const failure = await failureOf(conversation.ask(question, index === 0 ? interruption : undefined));
    if (failure === undefined) continue;
    failures.push(`${question.kind === 'spoken' ? question.recording.name : question.text}: ${failure}`);
    if (signal.aborted || session.state === 'closed') break;
  }
  conversation.close();
  await session.close();
  const notWritten = out && (await failureOf(write(out, conversation.heard, session.settings.outputRateHz)));
  if (notWritten) failures.push(notWritten);
  printer.summary(
    session.stats.resumes,
    conversation.book.turns.map((turn) => turn.summary()),
  );
  return failures.length > 0 ? failures.join('\n') : undefined;
}

/** What a `TalkFailure` says; undefined where all went well. */
async function failureOf(done: Promise<void>): Promise<string | undefined> {
  try {
    await done;
    return undefined;
  } catch (error) {
    if (error instanceof TalkFailure) return error.message;
    throw error;
  }
}

async function readQuestions({ recordings, texts }: TalkOptions): Promise<Question[]> {
  const spoken = await Promise.all(recordings.map(readRecording));
  return [
    ...spoken.map((recording) => ({ kind: 'spoken', recording }) as const),
    ...texts.map((text) => ({ kind: 'typed', text }) as const),
  ];
}

async function readInterruption({ interruption }: TalkOptions): Promise<Interruption | undefined> {
  if (!interruption) return undefined;
  return { recording: await readRecording(interruption.file), afterMs: interruption.afterMs };
}

async function open({ urls, key }: TalkOptions): Promise<VoiceSession> {
  try {
    return await connect({ urls, key });
  } catch (error) {
    const { code, message } = VoiceError.from(error);
    const advice = code === 'unreachable' ? ' Is Parley running? (npm start)' : '';
    throw new TalkFailure(`${code}: ${message}${advice}`, { cause: error });
  }
}

async function write(path: string, heard: readonly Int16Array[], rateHz: number): Promise<void> {
  try {
    await writeFile(path, writeWav(concatInt16(heard), rateHz));
  } catch (cause) {
    throw new TalkFailure(`${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
