/** Why a conversation could not be had, in a sentence for the person at the console. */
export class TalkFailure extends Error {
  override readonly name = 'TalkFailure';
}
