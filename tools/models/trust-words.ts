import type { Trust } from './lock-file.ts';

const TRUST_WORDS: Record<Trust, string> = {
  manifest: "its checksum is the one in Parley's list",
  release: 'its checksum is the one that its release states',
  'first-use': 'no checksum is published for it: this one is noted, and must be the same next time',
};

/** How far a model can be trusted, for a person; `undefined` is the trust of a folder that somebody put there. */
export function trustInWords(trust: Trust | undefined): string {
  return trust === undefined ? 'put there by hand, not verified' : TRUST_WORDS[trust];
}
