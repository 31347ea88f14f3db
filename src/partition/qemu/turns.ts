/** Lets the operations on one guest take turns: a wipe must not meet a boot halfway. */
export class Turns {
  readonly #last = new Map<string, Promise<void>>();

  async take<T>(guestId: string, operation: () => Promise<T>): Promise<T> {
    const before = this.#last.get(guestId) ?? Promise.resolve();
    const result = before.then(operation);
    const settled = result.then(
      () => undefined,
      // The caller has the error; the next in turn only waits for the end.
      () => undefined,
    );
    this.#last.set(guestId, settled);
    try {
      return await result;
    } finally {
      if (this.#last.get(guestId) === settled) this.#last.delete(guestId);
    }
  }
}
