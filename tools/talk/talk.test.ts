import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readWav, writeWav } from '@parley/audio';
import type { NewEvent, ServerEvent } from '@parley/protocol';
import { answerReady, type ScriptedConnection, type ScriptedGateway, startScriptedGateway } from '@parley/testkit';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { TalkOptions } from './args.ts';
import { talk } from './talk.ts';

const RATE_HZ = 24_000;

let folder: string;
const gateways: ScriptedGateway[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-talk-'));
});

afterEach(async () => {
  await Promise.all(gateways.splice(0).map((gateway) => gateway.close()));
  await rm(folder, { recursive: true });
});

/** A gateway that does what the test says once a connection is open. */
async function gateway(script: (stage: Stage) => void | Promise<void>): Promise<ScriptedGateway> {
  const started = await startScriptedGateway((connection, hello) => {
    answerReady(connection, hello);
    void script(new Stage(connection, hello.type === 'session.resume'));
  });
  gateways.push(started);
  return started;
}

/** What a script does, in words. */
class Stage {
  readonly connection: ScriptedConnection;
  readonly isResume: boolean;
  #seq = 0;

  constructor(connection: ScriptedConnection, isResume: boolean) {
    this.connection = connection;
    this.isResume = isResume;
  }

  event(event: NewEvent, turn?: number): void {
    const id = `${this.isResume ? 2 : 1}-${++this.#seq}`;
    this.connection.send({
      ...event,
      id,
      at: 0,
      generation: 1,
      ...(turn === undefined ? {} : { turn }),
    } as ServerEvent);
  }

  /** Waits for so much user audio. */
  async heard(ms: number): Promise<void> {
    await vi.waitFor(() => expect(this.connection.audio.length * 20).toBeGreaterThanOrEqual(ms), {
      timeout: 10_000,
      interval: 5,
    });
  }

  /** Waits until the newest frame of user audio is of this kind. */
  async hears(what: 'speech' | 'silence'): Promise<void> {
    await vi.waitFor(
      () => {
        const isLoud = this.connection.audio.at(-1)?.pcm.some((byte) => byte !== 0) ?? false;
        expect(isLoud).toBe(what === 'speech');
      },
      { timeout: 5_000, interval: 5 },
    );
  }

  async asked(text: string): Promise<void> {
    await vi.waitFor(() => expect(this.connection.of('input.text').map((input) => input.text)).toContain(text), 10_000);
  }

  understands(turn: number, text: string, decidedSample: number): void {
    this.event({ type: 'speech.started', utterance: turn, sample: 0 }, turn);
    this.event({ type: 'transcript.partial', utterance: turn, text: text.slice(0, 4) }, turn);
    this.event({ type: 'turn.ended', utterance: turn, text, sample: decidedSample, decidedSample }, turn);
  }

  says(turn: number, text: string): void {
    this.event({ type: 'reply.started', turn, attempt: 0 });
    this.event({ type: 'reply.delta', turn, attempt: 0, text });
    this.event({ type: 'reply.done', turn, attempt: 0, text, clauses: 1, finish: 'stop' });
  }

  sounds(turn: number, ms: number, generation = 1): void {
    const pcm = new Uint8Array(new Int16Array((ms * RATE_HZ) / 1_000).fill(turn * 100).buffer);
    this.connection.sendAudio({ turn, generation, pcm, endOfClause: true, endOfReply: true });
  }

  answers(turn: number, text: string, ms: number): void {
    this.says(turn, text);
    this.sounds(turn, ms);
  }
}

/** A WAV file of silence with a loud stretch in it. */
async function wav(name: string, ms: number, loud: [fromMs: number, toMs: number], rateHz = 16_000): Promise<string> {
  const samples = new Int16Array((ms * rateHz) / 1_000);
  for (let i = (loud[0] * rateHz) / 1_000; i < (loud[1] * rateHz) / 1_000; i++)
    samples[i] = i % 20 < 10 ? 8_000 : -8_000;
  const path = join(folder, name);
  await writeFile(path, writeWav(samples, rateHz));
  return path;
}

interface Line {
  readonly type: string;
  readonly [field: string]: unknown;
}

interface Summary extends Line {
  readonly resumes: number;
  readonly turns: readonly Record<string, number>[];
}

const OPTIONS: TalkOptions = {
  recordings: [],
  texts: [],
  interruption: undefined,
  urls: [],
  key: undefined,
  json: true,
  out: undefined,
  timeoutMs: 2_000,
};

async function run(urls: string[], options: Partial<TalkOptions>) {
  let printed = '';
  const write = (text: string) => {
    printed += text;
  };
  const reason = await talk({ ...OPTIONS, urls, ...options }, { write }, new AbortController().signal);
  const lines =
    options.json === false
      ? []
      : printed
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line) as Line);
  return { reason, printed, lines, summary: lines.at(-1) as Summary };
}

/** For what fails before anything is printed. */
const reasonOf = (options: Partial<TalkOptions>) =>
  talk({ ...OPTIONS, ...options }, { write: () => {} }, new AbortController().signal);

describe('talk', () => {
  it('asks a recording, hears the answer, and tells all of it as JSON lines', async () => {
    const final = { type: 'transcript.final', utterance: 1, text: 'what', fromSample: 0, toSample: 9_600 } as const;
    const words = [{ word: 'what', startSample: 1_600, endSample: 3_200, confidence: 0.9 }];
    const server = await gateway(async (stage) => {
      await stage.heard(700);
      stage.event({ ...final, words });
      stage.understands(1, 'what time is it', 9_600);
      stage.answers(1, 'It is noon.', 400);
    });
    const out = join(folder, 'reply.wav');
    const question = await wav('question.wav', 600, [100, 500], 44_100);
    const { reason, lines, summary } = await run([server.url], { recordings: [question], out });

    expect(reason).toBeUndefined();
    expect(lines[0]).toEqual({ type: 'session', session: 'session-0000000000001' });
    expect(lines.filter(({ id }) => id !== undefined).map(({ type, turn }) => [type, turn])).toEqual([
      ['transcript.final', null],
      ['speech.started', 1],
      ['transcript.partial', 1],
      ['turn.ended', 1],
      ['reply.started', 1],
      ['reply.delta', 1],
      ['reply.done', 1],
    ]);
    expect(lines.find(({ type }) => type === 'transcript.final')).toMatchObject({ ...final, words });
    expect(lines.find(({ type }) => type === 'audio')).toMatchObject({
      turn: 1,
      clause: 0,
      generation: 1,
      startSample: 0,
      ms: 400,
    });
    expect(summary).toMatchObject({ type: 'summary', resumes: 0 });
    const turn = summary.turns[0] ?? {};
    expect(turn).toMatchObject({
      turn: 1,
      transcript: 'what time is it',
      reply: 'It is noon.',
      heard: 'It is noon.',
      heardMs: 400,
      interruptedAtMs: null,
    });
    // The microphone goes on a frame or so before the recording begins; timers are late on a busy machine.
    expect(turn.speechEndMs).toBeGreaterThanOrEqual(480);
    expect(turn.speechEndMs).toBeLessThan(800);
    expect(turn.firstAudioMs).toBeGreaterThan(turn.speechEndMs ?? 0);
    expect(turn.voiceToVoiceMs).toBeCloseTo((turn.firstAudioMs ?? 0) - (turn.speechEndMs ?? 0), 0);
    expect((turn.silentAtMs ?? 0) - (turn.firstAudioMs ?? 0)).toBeCloseTo(400, 0);
    const reply = readWav(await readFile(out));
    expect([reply.sampleRateHz, reply.samples.length]).toEqual([RATE_HZ, 9_600]);
    expect(server.last.of('playback').at(-1)).toMatchObject({ turn: 1, samples: 9_600 });
  });

  it('asks the next question when the answer to the one before has been played', async () => {
    const server = await gateway(async (stage) => {
      await stage.asked('one');
      stage.answers(1, 'First.', 300);
      await stage.asked('two');
      stage.answers(2, 'Second.', 100);
    });
    const { reason, summary } = await run([server.url], { texts: ['one', 'two'] });
    expect(reason).toBeUndefined();
    expect(summary.turns).toMatchObject([
      { transcript: 'one', reply: 'First.', heardMs: 300, speechEndMs: null, voiceToVoiceMs: null },
      { transcript: 'two', reply: 'Second.', heardMs: 100 },
    ]);
    expect(summary.turns[1]?.firstAudioMs).toBeGreaterThanOrEqual(summary.turns[0]?.silentAtMs ?? Infinity);
  });

  it('speaks over the first reply, and tells when it was silent and what was heard', async () => {
    const server = await gateway(async (stage) => {
      await stage.asked('a story');
      stage.says(1, 'Once upon a time there was a king.');
      stage.sounds(1, 3_000);
      await stage.hears('speech');
      stage.event({ type: 'speech.started', utterance: 1, sample: 0 }, 2);
      stage.connection.send({ type: 'audio.duck', generation: 1 });
      stage.connection.send({ type: 'audio.stop', generation: 2, reply: { turn: 1, attempt: 0 } });
      stage.event({ type: 'reply.truncated', turn: 1, attempt: 0, heard: 'Once upon', samples: 10_000 });
      await stage.hears('silence');
      stage.event({ type: 'turn.ended', utterance: 1, text: 'stop', sample: 1, decidedSample: 10_000_000 }, 2);
      stage.says(2, 'Very well.');
      stage.sounds(2, 200, 3);
    });
    const file = await wav('stop.wav', 200, [100, 200]);
    const { reason, lines, summary } = await run([server.url], {
      texts: ['a story'],
      interruption: { file, afterMs: 300 },
    });
    expect(reason).toBeUndefined();
    expect(lines.map(({ type }) => type)).toContain('audio.stop');
    const [story = {}, stop] = summary.turns;
    expect(story).toMatchObject({
      transcript: 'a story',
      heard: 'Once upon',
      reply: 'Once upon a time there was a king.',
    });
    expect((story.interruptedAtMs ?? 0) - (story.firstAudioMs ?? 0)).toBeGreaterThanOrEqual(300);
    expect(story.silentAtMs).toBeGreaterThan(story.interruptedAtMs ?? 0);
    expect(story.heardMs).toBeLessThan(1_500);
    expect(stop).toMatchObject({ transcript: 'stop', reply: 'Very well.', heardMs: 200 });
  });

  it('resumes on the next gateway', async () => {
    const first = await gateway(async (stage) => {
      await stage.asked('one');
      stage.says(1, 'First.');
      await vi.waitFor(() => expect(stage.connection.of('ack')).not.toHaveLength(0), 5_000);
      stage.connection.cut();
    });
    const second = await gateway((stage) => stage.sounds(1, 200));
    const { reason, lines, summary } = await run([first.url, second.url], { texts: ['one'] });
    expect(reason).toBeUndefined();
    expect(summary).toMatchObject({ resumes: 1, turns: [{ heardMs: 200 }] });
    expect(lines.filter(({ type }) => type === 'resumed')).toHaveLength(1);
  });

  it.each([
    [
      'a stage failed',
      (stage: Stage) => {
        stage.event({ type: 'reply.started', turn: 1, attempt: 0 });
        const failed = { turn: 1, attempt: 0, code: 'engine_failed', message: 'No.', retryable: true };
        stage.event({ type: 'stage.failed', stage: 'reply', ...failed });
        stage.event({ type: 'reply.cancelled', turn: 1, attempt: 0, reason: 'failed' });
      },
      'one: reply failed: engine_failed: No.',
    ],
    [
      'the answer has no audio',
      (stage: Stage) => stage.answers(1, '', 0),
      'one: the answer was given up before any of it was heard',
    ],
    [
      'the session has moved',
      (stage: Stage) => stage.connection.close(4410, 'moved'),
      'one: moved: The session has been taken over by another connection.',
    ],
    ['nothing happens', () => {}, 'one: nothing that was said was understood, and nothing happened for 2 s'],
  ])('tells the reason when %s, and sums up all the same', async (_, script, expected) => {
    const server = await gateway(async (stage) => {
      await stage.asked('one');
      script(stage);
    });
    const { reason, summary } = await run([server.url], { texts: ['one'] });
    expect(reason).toBe(expected);
    expect(summary.type).toBe('summary');
  });

  it('says in one line when nobody answers, and when a file is no WAV', async () => {
    const gone = await startScriptedGateway();
    const { url } = gone;
    await gone.close();
    expect(await reasonOf({ urls: [url], texts: ['hello'] })).toMatch(
      /^unreachable: No gateway answers at .*Is Parley running\?/,
    );
    const text = join(folder, 'text.wav');
    await writeFile(text, 'not a WAV file at all, but long enough to be one');
    expect(await reasonOf({ urls: [url], recordings: [text] })).toBe(
      `${text}: this is not a WAV file: it does not begin with a RIFF/WAVE header`,
    );
    expect(await reasonOf({ urls: [url], recordings: [join(folder, 'none.wav')] })).toMatch(
      /none\.wav: there is no such file$/,
    );
  });

  it('can be read along', async () => {
    const server = await gateway(async (stage) => {
      await stage.heard(700);
      stage.understands(1, 'what time is it', 9_600);
      stage.answers(1, 'It is noon.', 200);
    });
    const question = await wav('question.wav', 300, [0, 300]);
    const { printed } = await run([server.url], { recordings: [question], json: false });
    expect(printed).toMatch(/speaking question\.wav\n {4}You: what time is it\n Parley: It is noon\.\n/);
    expect(printed).toMatch(/voice to voice -?\d+ ms · heard 0\.2 s\n\n1 turn\n$/);
  });
});
