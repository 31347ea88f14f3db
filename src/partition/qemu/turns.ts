/** Lets operations on one thing take turns: a wipe of a guest must not meet a boot halfway. */
export class Turns {
  readonly #last = new Map<string, Promise<void>>();

  async take<T>(name: string, operation: () => Promise<T>): Promise<T> {
    const before = this.#last.get(name) ?? Promise.resolve();
    const result = before.then(operation);
    const settled = result.then(
      () => undefined,
      // The caller has the error; the next in turn only waits for the end.
      () => undefined,
    );
    this.#last.set(name, settled);
    try {
      return await result;
    } finally {
      if (this.#last.get(name) === settled) this.#last.delete(name);
    }
  }
}
