import { type ClientMessage, ClientMessageSchema } from './client-messages.ts';
import { VoiceError } from './errors.ts';
import type { Reply } from './ids.ts';

/** First byte of a binary message. */
const UPLINK_AUDIO = 1;
const DOWNLINK_AUDIO = 2;

/** Header bytes before the PCM of a binary message from the client. */
export const UPLINK_HEADER_BYTES = 12;
/** Header bytes before the PCM of a binary message from the server. */
export const DOWNLINK_HEADER_BYTES = 28;

const END_OF_CLAUSE = 1;
const END_OF_REPLY = 2;

/** User audio: PCM16 little-endian mono at 16 kHz, numbered from the session's first sample. */
export interface UplinkAudio {
  readonly startSample: number;
  /** PCM16 bytes, a view into the message. */
  readonly pcm: Uint8Array;
}

/** Reply audio at the session's output rate, numbered from the reply's first sample. */
export interface DownlinkAudio extends Reply {
  readonly generation: number;
  readonly clause: number;
  readonly startSample: number;
  /** This is the last of its clause. */
  readonly endOfClause: boolean;
  /** Nothing of this reply follows. */
  readonly endOfReply: boolean;
  /** PCM16 bytes; may be empty where only an end is told. */
  readonly pcm: Uint8Array;
}

const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Largest sample number that survives the trip: 2^53 − 1. */
function readSample(data: DataView, offset: number): number {
  return data.getUint32(offset + 4, true) * 0x1_0000_0000 + data.getUint32(offset, true);
}

function writeSample(data: DataView, offset: number, sample: number): void {
  data.setUint32(offset, sample >>> 0, true);
  data.setUint32(offset + 4, Math.floor(sample / 0x1_0000_0000), true);
}

export function encodeUplinkAudio(startSample: number, pcm: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(UPLINK_HEADER_BYTES + pcm.byteLength);
  const data = view(bytes);
  data.setUint8(0, UPLINK_AUDIO);
  writeSample(data, 4, startSample);
  bytes.set(pcm, UPLINK_HEADER_BYTES);
  return bytes;
}

/** Decodes a binary message of a client. Throws `bad_audio` with a public reason for anything that is not one. */
export function decodeUplinkAudio(bytes: Uint8Array): UplinkAudio {
  const refuse = (why: string) => new VoiceError('bad_audio', why, { public: true });
  if (bytes.byteLength < UPLINK_HEADER_BYTES) {
    throw refuse(`A binary message has a header of ${UPLINK_HEADER_BYTES} bytes; this one has ${bytes.byteLength}.`);
  }
  const data = view(bytes);
  if (data.getUint8(0) !== UPLINK_AUDIO) throw refuse(`The first byte must be ${UPLINK_AUDIO} for user audio.`);
  const pcmBytes = bytes.byteLength - UPLINK_HEADER_BYTES;
  if (pcmBytes === 0) throw refuse('The audio frame has no samples.');
  if (pcmBytes % 2 !== 0) throw refuse(`PCM16 needs an even number of bytes; this frame has ${pcmBytes}.`);
  const startSample = readSample(data, 4);
  if (!Number.isSafeInteger(startSample)) throw refuse('The sample number is too large.');
  return { startSample, pcm: bytes.subarray(UPLINK_HEADER_BYTES) };
}

/** Writes into `scratch` where one is given that is large enough: the message is then valid until the next. */
export function encodeDownlinkAudio(frame: DownlinkAudio, scratch?: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const length = DOWNLINK_HEADER_BYTES + frame.pcm.byteLength;
  const bytes = scratch && scratch.byteLength >= length ? scratch.subarray(0, length) : new Uint8Array(length);
  const data = view(bytes);
  data.setUint8(0, DOWNLINK_AUDIO);
  data.setUint8(1, (frame.endOfClause ? END_OF_CLAUSE : 0) | (frame.endOfReply ? END_OF_REPLY : 0));
  data.setUint16(2, frame.clause, true);
  data.setUint32(4, frame.turn, true);
  data.setUint32(8, frame.attempt, true);
  data.setUint32(12, frame.generation, true);
  writeSample(data, 16, frame.startSample);
  bytes.set(frame.pcm, DOWNLINK_HEADER_BYTES);
  return bytes;
}

/** Decodes a binary message of the server. Throws `bad_audio` for anything that is not one. */
export function decodeDownlinkAudio(bytes: Uint8Array): DownlinkAudio {
  const data = view(bytes);
  const isWhole = bytes.byteLength >= DOWNLINK_HEADER_BYTES && bytes.byteLength % 2 === 0;
  if (!isWhole || data.getUint8(0) !== DOWNLINK_AUDIO) {
    throw new VoiceError('bad_audio', 'Not a reply audio frame.');
  }
  const flags = data.getUint8(1);
  return {
    clause: data.getUint16(2, true),
    turn: data.getUint32(4, true),
    attempt: data.getUint32(8, true),
    generation: data.getUint32(12, true),
    startSample: readSample(data, 16),
    endOfClause: (flags & END_OF_CLAUSE) !== 0,
    endOfReply: (flags & END_OF_REPLY) !== 0,
    pcm: bytes.subarray(DOWNLINK_HEADER_BYTES),
  };
}

/** The engine's own error quotes the text, which may hold what somebody said, so it is not kept. */
export function parseJson(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

/** Decodes a JSON message of a client. Throws `bad_message` or `bad_settings` naming the field, never echoing its value. */
export function decodeClientMessage(text: string): ClientMessage {
  const json = parseJson(text);
  if (!json) throw new VoiceError('bad_message', 'A text message must be JSON.', { public: true });
  const parsed = ClientMessageSchema.safeParse(json.value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const path = issue?.path.join('.') ?? '';
  const code = path.startsWith('settings') ? 'bad_settings' : 'bad_message';
  throw new VoiceError(code, `${path || 'message'}: ${issue?.message ?? 'not understood'}`, { public: true });
}
