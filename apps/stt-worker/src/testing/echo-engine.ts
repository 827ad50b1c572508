import type { RecognitionStream, Recognizer } from '../recognizer.ts';

/** A sample of this value ends the process, as an engine does whose native code has a fault. */
const POISON = 31_337;

/** An engine module for tests: understands every segment as its length in tenths of a second, for example `heard21`. */
export async function createRecognizer(): Promise<Recognizer> {
  return { name: 'echo', languages: [], slots: 16, open: async () => openStream(), close: async () => undefined };
}

function openStream(): RecognitionStream {
  let heardSamples = 0;
  let tell = (_text: string): void => undefined;
  const text = (): string => `heard${Math.round(heardSamples / 1_600)}`;
  return {
    backlogMs: 0,
    accept(samples) {
      if (samples.includes(POISON)) process.kill(process.pid, 'SIGKILL');
      heardSamples += samples.length;
      tell(text());
    },
    onPartial(handler) {
      tell = handler;
    },
    onFailure: () => undefined,
    async settle() {
      const settled = text();
      heardSamples = 0;
      return settled;
    },
    abandon() {
      heardSamples = 0;
    },
    close: () => undefined,
  };
}
