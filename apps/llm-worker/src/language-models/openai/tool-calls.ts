import type { ChatCompletionChunk } from 'openai/resources/chat/completions';
import type { ReplyPart } from '../../language-model.ts';

/** Calls that a reply may have; a model that makes more has lost its way. */
const MAX_CALLS = 64;

type Piece = ChatCompletionChunk.Choice.Delta.ToolCall;

/** Puts calls of tools together, which come in pieces told apart by index. */
export class ToolCalls {
  readonly #calls: { index: number; call: string; name: string; arguments: string }[] = [];

  add(pieces: readonly Piece[]): void {
    for (const piece of pieces) {
      const known = this.#calls.findLast(({ index }) => index === piece.index);
      // Some servers give every call the same index, and each an id of its own.
      const isAnother = known !== undefined && piece.id !== undefined && piece.id !== '' && piece.id !== known.call;
      const call = known === undefined || (isAnother && known.call !== '') ? this.#begin(piece) : known;
      if (call === undefined) continue;
      call.call = piece.id || call.call;
      call.name = piece.function?.name || call.name;
      call.arguments += piece.function?.arguments ?? '';
    }
  }

  *parts(): Generator<ReplyPart> {
    for (const [position, { call, name, arguments: text }] of this.#calls.entries()) {
      yield { kind: 'toolCall', call: call || `call_${position}`, name, arguments: text };
    }
  }

  #begin({ index }: Piece) {
    if (this.#calls.length >= MAX_CALLS) return undefined;
    const begun = { index, call: '', name: '', arguments: '' };
    this.#calls.push(begun);
    return begun;
  }
}
