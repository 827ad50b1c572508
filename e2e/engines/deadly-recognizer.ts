/** A recogniser that takes its process with it at the first loud sample. */
const LOUD = 1_000;

export const createRecognizer = async () => ({
  name: 'deadly',
  languages: [],
  slots: 4,
  open: async () => ({
    accept(samples: Int16Array) {
      if (samples.some((sample) => Math.abs(sample) > LOUD)) process.kill(process.pid, 'SIGKILL');
    },
    onPartial: () => undefined,
    onFailure: () => undefined,
    settle: async () => '',
    abandon: () => undefined,
    close: () => undefined,
    backlogMs: 0,
  }),
  close: async () => undefined,
});
