import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { VoiceError } from '@parley/protocol';
import type { RedisConnection } from './redis-connection.ts';

/** Scripts that touch one session. */
type SessionScript = 'own' | 'commit' | 'acquire' | 'append' | 'claim';
/** Scripts that touch one queue. */
type QueueScript = 'offer' | 'withdraw';
export type ScriptName = SessionScript | QueueScript;
export type ScriptArgument = string | number | Buffer;

const read = (name: string): string => readFileSync(new URL(`./scripts/${name}.lua`, import.meta.url), 'utf8');

interface Script {
  readonly source: string;
  readonly sha: string;
}

const script = (source: string): Script => ({ source, sha: createHash('sha1').update(source).digest('hex') });
const sessionScript = (name: SessionScript): Script => script(`${read('write-event')}\n${read(name)}`);
const queueScript = (name: QueueScript): Script => script(read(name));

const SCRIPTS = {
  own: sessionScript('own'),
  commit: sessionScript('commit'),
  acquire: sessionScript('acquire'),
  append: sessionScript('append'),
  claim: sessionScript('claim'),
  offer: queueScript('offer'),
  withdraw: queueScript('withdraw'),
} as const satisfies Record<ScriptName, Script>;

/** A refusal is a word; success is a list. */
export type ScriptReply = string | readonly unknown[];

/** Runs a script in one round trip; the text is sent only when Redis does not know it (first use, restart). */
export async function runScript(
  connection: RedisConnection,
  name: ScriptName,
  keys: readonly string[],
  args: readonly ScriptArgument[],
): Promise<ScriptReply> {
  const { source, sha } = SCRIPTS[name];
  const reply = await connection.run(async (redis) => {
    try {
      return await redis.evalsha(sha, keys.length, ...keys, ...args);
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
      return await redis.eval(source, keys.length, ...keys, ...args);
    }
  });
  if (typeof reply === 'string' || Array.isArray(reply)) return reply;
  throw new VoiceError('internal', `script ${name} answered ${typeof reply}`);
}
