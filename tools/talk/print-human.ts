import type { ServerEvent } from '@parley/protocol';
import type { Printer } from './printer.ts';
import type { Turn } from './turn-book.ts';

interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/**
 * A conversation to read along. On a terminal, what is being recognised is shown in place and the reply as it comes; in a
 * file each is one line when it is complete.
 */
export function humanPrinter(screen: Screen): Printer {
  const live = screen.isTTY === true;
  const style = (code: number, text: string): string => (live ? `\u001b[${code}m${text}\u001b[0m` : text);
  const dim = (text: string): string => style(2, text);
  /** What stands on the line that is not finished: something that is replaced, or a reply that grows. */
  let unfinished: 'partial' | 'reply' | undefined;
  let replyText = '';

  const finishLine = (): void => {
    if (unfinished === 'partial') screen.write('\r\u001b[K');
    if (unfinished === 'reply') screen.write('\n');
    unfinished = undefined;
  };
  const line = (text: string): void => {
    finishLine();
    screen.write(`${text}\n`);
  };
  const partial = (text: string): void => {
    if (!live || unfinished === 'reply') return;
    const room = (screen.columns ?? 80) - 10;
    screen.write(`\r\u001b[K${dim(`    You: ${text.length > room ? `…${text.slice(1 - room)}` : text}`)}`);
    unfinished = 'partial';
  };
  const grow = (text: string): void => {
    replyText += text;
    if (!live) return;
    if (unfinished !== 'reply') {
      finishLine();
      screen.write(style(36, ' Parley: '));
      unfinished = 'reply';
    }
    screen.write(text);
  };
  const endReply = (text: string): void => {
    if (live) finishLine();
    else if (text !== '') line(` Parley: ${text}`);
    replyText = '';
  };

  const onEvent = (event: ServerEvent): void => {
    switch (event.type) {
      case 'transcript.partial':
        return partial(event.text);
      case 'turn.ended':
        return event.text.trim() === '' ? finishLine() : line(`${style(1, '    You:')} ${event.text}`);
      case 'reply.started':
        replyText = '';
        return;
      case 'reply.released':
      case 'reply.delta':
        return grow(event.text);
      case 'reply.done':
        return endReply(event.text);
      case 'reply.truncated':
        if (replyText !== '') endReply(replyText);
        return line(dim(`         (interrupted; heard: ${event.heard})`));
      case 'reply.cancelled':
        if (replyText !== '') endReply(replyText);
        return line(dim(`         (reply given up: ${event.reason})`));
      case 'stage.failed':
        return line(style(31, `         ${event.stage} failed: ${event.code}: ${event.message}`));
      case 'audio.lost':
        return line(style(33, `         ${event.ms} ms of what was said could not be heard (${event.reason})`));
      default:
    }
  };

  return {
    session: (id, url) => line(dim(`Session ${id} at ${url}`)),
    asking: (what) => line(`\n${dim(`         ${what}`)}`),
    event: onEvent,
    audio: () => {},
    volume: (change) => {
      if (change.type === 'audio.stop') line(dim('         (stopped)'));
    },
    error: (error) => line(style(31, `         ${error.code}: ${error.message}`)),
    resumed: ({ url, afterMs }) => line(style(33, `         (resumed at ${url} after ${Math.round(afterMs)} ms)`)),
    turn: (turn) => line(dim(`         ${figures(turn)}`)),
    summary: (resumes, turns) => {
      const times = resumes === 0 ? '' : `, resumed ${resumes === 1 ? 'once' : `${resumes} times`}`;
      line(`\n${dim(`${turns.length} ${turns.length === 1 ? 'turn' : 'turns'}${times}`)}`);
    },
  };
}

function figures(turn: Turn): string {
  const { voiceToVoiceMs, firstAudioMs, heardMs, interruptedAtMs, silentAtMs } = turn.summary();
  const parts: string[] = [];
  if (voiceToVoiceMs !== null) parts.push(`voice to voice ${Math.round(voiceToVoiceMs)} ms`);
  if (firstAudioMs === null) parts.push('no answer was heard');
  else parts.push(`heard ${(heardMs / 1_000).toFixed(1)} s`);
  if (interruptedAtMs !== null && silentAtMs !== null) {
    parts.push(`silent ${Math.round(silentAtMs - interruptedAtMs)} ms after the interruption`);
  }
  return parts.join(' · ');
}
