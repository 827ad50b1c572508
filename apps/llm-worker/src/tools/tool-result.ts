/** What came of a call: text for the model, which is also told of failures, and how it went. */
export interface ToolResult {
  readonly content: string;
  readonly outcome: 'ok' | 'failed' | 'timeout' | 'refused';
}

/** A result that says what went wrong, so that the model can say so, or try otherwise. */
export const faultyResult = (outcome: 'failed' | 'timeout' | 'refused', error: string): ToolResult => ({
  outcome,
  content: JSON.stringify({ error }),
});

/** Cut to what the context has room for. */
export const cutResult = ({ content, outcome }: ToolResult, maxChars: number): ToolResult =>
  content.length <= maxChars
    ? { content, outcome }
    : { content: `${content.slice(0, maxChars)}… (the rest is left out)`, outcome };
