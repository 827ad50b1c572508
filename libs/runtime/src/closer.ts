type Release = () => void | Promise<void>;

/**
 * Collects what must be released, by whoever acquired it. Release runs newest first and one at a time, goes on past
 * failures, and reports them together.
 */
export class Closer {
  readonly #releases: { readonly name: string; readonly release: Release }[] = [];
  #closing: Promise<void> | undefined;

  /** Registers a release; call it on the line after the acquisition. Throws once closing has begun. */
  defer(name: string, release: Release): void {
    if (this.#closing) throw new Error(`cannot defer "${name}": already closing`);
    this.#releases.push({ name, release });
  }

  /** Releases everything once; later calls wait for the same outcome. */
  close(): Promise<void> {
    this.#closing ??= this.#releaseAll();
    return this.#closing;
  }

  async #releaseAll(): Promise<void> {
    const failures: Error[] = [];
    for (let entry = this.#releases.pop(); entry; entry = this.#releases.pop()) {
      try {
        await entry.release();
      } catch (cause) {
        failures.push(new Error(`closing ${entry.name} failed`, { cause }));
      }
    }
    if (failures.length > 0) {
      throw new AggregateError(failures, failures.map((failure) => failure.message).join('; '));
    }
  }
}
