import { resample } from '@parley/audio';
import { INPUT_RATE_HZ } from '@parley/protocol';
import type { System } from '@parley/testkit';
import { User } from './user.ts';

/** What the system itself hears in `pcm`: it is said to it by another user. */
export async function recognise(system: System, pcm: Int16Array, rateHz: number): Promise<string> {
  const listener = await User.connect(system.urls);
  try {
    const quiet = new Int16Array(INPUT_RATE_HZ / 2);
    await listener.say(quiet);
    await listener.say(await resample(pcm, rateHz, INPUT_RATE_HZ));
    await listener.event('turn.ended', () => true, 30_000);
    return listener.transcript(1);
  } finally {
    await listener.leave();
  }
}
