/** Why the system cannot start or go on, as a person should read it. */
export class StartError extends Error {
  override readonly name = 'StartError';
}
