import { redisUrlSetting } from '@parley/bus';
import type { ConfigSpec } from '@parley/runtime';
import { z } from 'zod';

const positive = (fallback: number) => z.coerce.number().int().positive().default(fallback);

/** Settings of the gateway. */
export const gatewaySettings = {
  host: {
    env: 'PARLEY_HOST',
    schema: z.string().default('127.0.0.1'),
    describe: 'Address to listen on; 0.0.0.0 for all.',
  },
  port: {
    env: 'PORT',
    schema: z.coerce.number().int().min(0).max(65_535).default(8080),
    describe: 'Port of the gateway; further gateways take the next ones.',
  },
  redisUrl: redisUrlSetting,
  apiKeys: {
    env: 'PARLEY_API_KEYS',
    schema: z
      .string()
      .default('')
      .transform((text) =>
        text
          .split(',')
          .map((key) => key.trim())
          .filter((key) => key !== ''),
      ),
    describe: 'Keys that clients must show, separated by commas; empty lets everybody in.',
    secret: true,
  },
  operatorKeys: {
    env: 'PARLEY_OPERATOR_KEYS',
    schema: z
      .string()
      .default('')
      .transform((text) =>
        text
          .split(',')
          .map((key) => key.trim())
          .filter((key) => key !== ''),
      ),
    describe: 'Keys that open /debug from elsewhere than this machine, separated by commas.',
    secret: true,
  },
  maxSessions: {
    env: 'PARLEY_MAX_SESSIONS',
    schema: positive(1_000),
    describe: 'Sessions that one gateway owns at a time.',
  },
  maxMessageBytes: {
    env: 'PARLEY_MAX_MESSAGE_BYTES',
    schema: positive(256 * 1_024),
    describe: 'Largest message of a client, in bytes.',
  },
  maxBufferedBytes: {
    env: 'PARLEY_MAX_BUFFERED_BYTES',
    schema: positive(1_024 * 1_024),
    describe: 'Bytes that may wait for a client that does not read, before it is disconnected.',
  },
  helloTimeoutMs: {
    env: 'PARLEY_HELLO_TIMEOUT_MS',
    schema: positive(5_000),
    describe: 'Milliseconds a new connection has for its first message.',
  },
  graceMs: {
    env: 'PARLEY_GRACE_MS',
    schema: z.coerce.number().int().min(1_000).default(60_000),
    describe: 'Milliseconds a session waits for a client that has gone.',
  },
  idleTimeoutMs: {
    env: 'PARLEY_IDLE_TIMEOUT_MS',
    schema: positive(600_000),
    describe: 'Milliseconds without speech, text or a reply after which a session is closed.',
  },
  maxSessionMs: {
    env: 'PARLEY_MAX_SESSION_MS',
    schema: positive(4 * 3_600_000),
    describe: 'Greatest length of a session in milliseconds.',
  },
  maxInputMs: {
    env: 'PARLEY_MAX_INPUT_MS',
    schema: z.coerce.number().int().min(2_000).default(60_000),
    describe: 'Milliseconds of user audio kept while nobody can listen to it.',
  },
  resumeBoundMs: {
    env: 'PARLEY_RESUME_BOUND_MS',
    schema: positive(15_000),
    describe: 'Milliseconds of unacknowledged audio a client keeps; also the burst of audio that is accepted at once.',
  },
  audioRateFactor: {
    env: 'PARLEY_AUDIO_RATE_FACTOR',
    schema: z.coerce.number().min(1).max(100).default(1.5),
    describe: 'Sustained rate of audio accepted, as a multiple of real time.',
  },
} as const satisfies ConfigSpec;
