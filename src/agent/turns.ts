/** Lets one piece of work at a time touch one lease: a pass and a reading must not interleave. */
export interface Turns {
  /** Does `work` unless the lease is busy; tells whether it did. */
  tryTake(leaseId: string, work: () => Promise<void>): Promise<boolean>;
}

export function createTurns(): Turns {
  const busy = new Set<string>();
  return {
    async tryTake(leaseId, work) {
      if (busy.has(leaseId)) return false;
      busy.add(leaseId);
      try {
        await work();
      } finally {
        busy.delete(leaseId);
      }
      return true;
    },
  };
}
