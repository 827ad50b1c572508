import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { VoiceError } from '@parley/protocol';
import type { RedisConnection } from './redis-connection.ts';

export type ScriptName = 'own' | 'commit' | 'acquire' | 'append' | 'claim';
export type ScriptArgument = string | number | Buffer;

const read = (name: string): string => readFileSync(new URL(`./scripts/${name}.lua`, import.meta.url), 'utf8');

function load(name: ScriptName): { readonly source: string; readonly sha: string } {
  const source = `${read('write-event')}\n${read(name)}`;
  return { source, sha: createHash('sha1').update(source).digest('hex') };
}

const SCRIPTS = {
  own: load('own'),
  commit: load('commit'),
  acquire: load('acquire'),
  append: load('append'),
  claim: load('claim'),
} as const satisfies Record<ScriptName, { source: string; sha: string }>;

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
