/** Work that may outlast its pass: the next pass begins and finds it under way. */
export interface Overlap {
  /** Resolves when the work is done or `patienceMs` is over; throws what it threw by then. */
  start(work: () => Promise<void>): Promise<void>;
  /** Resolves when nothing is under way. */
  settled(): Promise<void>;
}

export function createOverlap(patienceMs: number, onLateError: (error: unknown) => void): Overlap {
  const underWay = new Set<Promise<void>>();
  return {
    async start(work) {
      let isLate = false;
      const done = work()
        .catch((error: unknown) => {
          if (!isLate) throw error;
          onLateError(error);
        })
        .finally(() => underWay.delete(done));
      underWay.add(done);
      const patience = Promise.withResolvers<void>();
      const timer = setTimeout(() => {
        isLate = true;
        patience.resolve();
      }, patienceMs);
      try {
        await Promise.race([done, patience.promise]);
      } finally {
        clearTimeout(timer);
      }
    },
    async settled() {
      await Promise.allSettled(underWay);
    },
  };
}
