import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { bytesToInt16 } from '@parley/audio';
import { VoiceError } from '@parley/protocol';
import { plainPunctuation } from '../speakable-text.ts';
import { type SpeechChunk, type SpeechRequest, type Synthesizer, speakOnce } from '../synthesizer.ts';

/** Voices of the distribution's package by our names. Flite's own `kal` speaks at 8 kHz; `kal16` is the same man. */
const FLITE_VOICES: ReadonlyMap<string, string> = new Map([
  ['slt', 'slt'],
  ['rms', 'rms'],
  ['awb', 'awb'],
  ['kal', 'kal16'],
]);
const DEFAULT_VOICE = 'slt';

const WAV_HEADER_BYTES = 44;
const SAMPLE_RATE_OFFSET = 24;
const DATA_BYTES_OFFSET = 40;
/** Flite writes a sentence at a time; how often to look for the next. */
const POLL_MS = 5;
const READ_BYTES = 64 * 1024;

export interface FliteOptions {
  /** Voice where a session names none. */
  readonly voice?: string | undefined;
  readonly command?: string;
}

/** Flite from the distribution's packages: one short-lived process per text, about fifty times faster than real time. */
export function createFlite({ voice = '', command = 'flite' }: FliteOptions = {}): Synthesizer {
  const defaultVoice = FLITE_VOICES.has(voice) ? voice : DEFAULT_VOICE;
  const flite: Synthesizer = {
    name: 'flite',
    deterministic: true,
    repeatable: true,
    cancels: 'at_once',
    sampleRateHz: 16_000,
    voices: [...FLITE_VOICES.keys()],
    languages: ['en-US'],
    speak: (request, signal) => speak(command, { ...request, voice: request.voice || defaultVoice }, signal),
    warmUp: (signal) => speakOnce(flite, signal),
    close: async () => undefined,
  };
  return flite;
}

async function* speak(command: string, request: SpeechRequest, signal: AbortSignal): AsyncGenerator<SpeechChunk> {
  const text = plainText(request.text);
  if (!/[a-z0-9]/i.test(text)) throw new VoiceError('engine_rejected', 'flite can only speak Latin script');
  signal.throwIfAborted();
  const output = await openNameless().catch((cause) => {
    throw new VoiceError('engine_failed', 'no temporary file can be made', { cause });
  });
  let run: FliteRun | undefined;
  try {
    run = new FliteRun(command, request, output.fd);
    run.start(text);
    yield* readSpeech(output, run, signal);
  } catch (error) {
    signal.throwIfAborted();
    throw VoiceError.from(error, 'engine_failed');
  } finally {
    run?.kill();
    await output.close();
  }
}

/**
 * A file without a name, so that nothing of what is said stays behind even when this process is killed. (Not a pipe:
 * flite goes back to correct the header, which on a pipe leaves the header alone.)
 */
async function openNameless(): Promise<FileHandle> {
  const path = join(tmpdir(), `parley-${randomUUID()}`);
  const file = await open(path, 'wx+', 0o600);
  await unlink(path);
  return file;
}

class FliteRun {
  readonly #child: ChildProcess;
  readonly ended: Promise<void>;
  hasEnded = false;
  #failure: VoiceError | undefined;

  /** What is said goes through standard input, never onto the command line, which every user of the machine can read. */
  constructor(command: string, { voice, speed }: SpeechRequest, outputFd: number) {
    const name = FLITE_VOICES.get(voice) ?? DEFAULT_VOICE;
    const args = ['-voice', name, '--setf', `duration_stretch=${1 / speed}`, '-f', '-', '-o', '/dev/stdout'];
    this.#child = spawn(command, args, { stdio: ['pipe', outputFd, 'ignore'] });
    this.ended = new Promise((resolve) => {
      const end = (failure?: VoiceError): void => {
        this.#failure ??= failure;
        this.hasEnded = true;
        resolve();
      };
      this.#child.once('error', (error) => end(startFailure(error)));
      this.#child.once('exit', (code, by) => {
        end(code === 0 ? undefined : new VoiceError('engine_failed', `flite ended with ${by ?? `code ${code}`}`));
      });
    });
  }

  start(text: string): void {
    // Flite may be gone before it has read everything; its exit tells why.
    this.#child.stdin?.on('error', () => undefined);
    this.#child.stdin?.end(text);
  }

  throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  kill(): void {
    if (!this.hasEnded) this.#child.kill('SIGKILL');
  }
}

async function* readSpeech(output: FileHandle, run: FliteRun, signal: AbortSignal): AsyncGenerator<SpeechChunk> {
  let header: WavHeader | undefined;
  let position = WAV_HEADER_BYTES;
  for (;;) {
    // Asked before reading: what was written until the end is then certainly read.
    const isComplete = run.hasEnded;
    header ??= await readHeader(output);
    while (header !== undefined) {
      const { bytesRead, buffer } = await output.read(Buffer.alloc(READ_BYTES), 0, READ_BYTES, position);
      signal.throwIfAborted();
      const wholeBytes = bytesRead - (bytesRead % 2);
      if (wholeBytes === 0) break;
      position += wholeBytes;
      yield { samples: bytesToInt16(buffer.subarray(0, wholeBytes)), sampleRateHz: header.sampleRateHz };
    }
    if (isComplete) break;
    await Promise.race([run.ended, sleep(POLL_MS, undefined, { signal }).catch(() => undefined)]);
    signal.throwIfAborted();
  }
  run.throwIfFailed();
  // On a full disk flite ends well, with less than it says.
  const written = await readHeader(output);
  if (written?.dataBytes !== position - WAV_HEADER_BYTES) throw new VoiceError('engine_failed', 'flite was cut short');
}

interface WavHeader {
  readonly sampleRateHz: number;
  /** Grows while flite speaks. */
  readonly dataBytes: number;
}

/** Undefined as long as the header is not there. */
async function readHeader(output: FileHandle): Promise<WavHeader | undefined> {
  const { bytesRead, buffer } = await output.read(Buffer.alloc(WAV_HEADER_BYTES), 0, WAV_HEADER_BYTES, 0);
  if (bytesRead < WAV_HEADER_BYTES) return undefined;
  return {
    sampleRateHz: buffer.readUInt32LE(SAMPLE_RATE_OFFSET),
    dataBytes: buffer.readUInt32LE(DATA_BYTES_OFFSET),
  };
}

function startFailure(error: NodeJS.ErrnoException): VoiceError {
  const code = error.code === 'ENOENT' || error.code === 'EACCES' ? 'engine_missing' : 'engine_failed';
  return new VoiceError(code, 'flite could not be started', { cause: error });
}

/** Flite reads ASCII, and takes the bytes of anything else for words. */
function plainText(text: string): string {
  return plainPunctuation(text)
    .replaceAll('\u00df', 'ss')
    .replaceAll('\u20ac', ' euros ')
    .replaceAll('\u00a3', ' pounds ')
    .replaceAll('\u00b0', ' degrees ')
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
    .replaceAll(/[^\x21-\x7e]+/g, ' ')
    .trim();
}
