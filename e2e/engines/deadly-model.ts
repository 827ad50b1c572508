/** A language model that takes its process with it when poison is mentioned, and else repeats what was said. */
export const createLanguageModel = () => ({
  name: 'deadly',
  prefill: false,
  deterministic: true,
  contextTokens: 4_096,
  async *reply(messages: readonly { content: string }[]) {
    const text = messages.at(-1)?.content ?? '';
    if (messages.some(({ content }) => content.includes('poison'))) process.kill(process.pid, 'SIGKILL');
    yield { kind: 'text', text: `You said ${text}.` };
    yield { kind: 'finish', reason: 'stop' };
  },
  warmUp: async () => undefined,
  close: async () => undefined,
});
