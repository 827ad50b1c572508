import { connectionFailure, statusFailure } from '../failure.ts';

/** The server answered that it does not have the model. */
export class NoModel extends Error {
  override readonly name = 'NoModel';
}

/**
 * A `fetch` for the Ollama library that ends with the signal, and that turns failures into errors itself: the library
 * would print what it cannot read to the console, with whatever was said in it.
 */
export function ollamaFetch(fetchIt: typeof fetch, signal: AbortSignal): typeof fetch {
  return async (input, init) => {
    // The library's own signal is aborted by nobody.
    const response = await fetchIt(input, { ...init, signal });
    if (!response.ok) {
      // Read, so that the connection can be used again.
      await response.arrayBuffer().catch(() => undefined);
      if (response.status === 404) throw new NoModel('the server answered with status 404');
      throw statusFailure(response.status);
    }
    if (response.body === null) return response;
    return new Response(response.body.pipeThrough(wholeLines()), { status: response.status });
  };
}

/** Passes complete lines of JSON on, and fails at the first that is none. */
function wholeLines(): TransformStream<Uint8Array, Uint8Array> {
  const decoder = new TextDecoder();
  const encoder = new TextEncoder();
  let rest = '';
  const check = (line: string): boolean => {
    if (line.trim() === '') return false;
    try {
      JSON.parse(line);
      return true;
    } catch (error) {
      throw connectionFailure(error);
    }
  };
  return new TransformStream({
    transform(bytes, controller) {
      const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      const whole = lines.filter(check);
      if (whole.length > 0) controller.enqueue(encoder.encode(`${whole.join('\n')}\n`));
    },
    flush(controller) {
      if (check(rest)) controller.enqueue(encoder.encode(rest));
    },
  });
}
