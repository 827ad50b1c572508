/** Tells the person what is being done and why; standard output stays the command's own. @param {string} text */
export function say(text) {
  process.stderr.write(`parley: ${text}\n`);
}

/** Ends the bootstrap with a message that says what to do. */
export class Stop extends Error {
  /**
   * @param {string} message
   * @param {number} [exitCode]
   */
  constructor(message, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}
