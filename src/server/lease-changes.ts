import type { LeaseChanges } from "../api/context.ts";

export interface LeaseChangeHub extends LeaseChanges {
  notify(leaseId: string): void;
  /** After a time of deafness: everybody looks again. */
  notifyAll(): void;
}

export function createLeaseChanges(): LeaseChangeHub {
  const waiting = new Map<string, Set<() => void>>();
  const notify = (leaseId: string) => {
    for (const changed of waiting.get(leaseId) ?? []) changed();
  };
  return {
    notify,
    notifyAll: () => {
      for (const leaseId of waiting.keys()) notify(leaseId);
    },
    subscribe: (leaseId, changed) => {
      const subscribers = waiting.get(leaseId) ?? new Set();
      waiting.set(leaseId, subscribers.add(changed));
      return () => {
        subscribers.delete(changed);
        if (subscribers.size === 0) waiting.delete(leaseId);
      };
    },
  };
}
