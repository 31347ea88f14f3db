import type { AgentContext } from "../context.ts";

const last = new WeakMap<object, Promise<unknown>>();

/**
 * One piece of work at a time on the capacity of a host: an effect, a reading and a command must
 * not come between one another's looking and recording.
 */
export function inCapacityTurn<T>({ db }: AgentContext, work: () => Promise<T>): Promise<T> {
  const turn = (last.get(db) ?? Promise.resolve()).then(work, work);
  last.set(
    db,
    turn.catch(() => undefined),
  );
  return turn;
}
