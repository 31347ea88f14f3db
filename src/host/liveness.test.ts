import { expect, test } from "vitest";
import { type HostSigns, hostState, LATE_AFTER_MS, LOST_AFTER_MS } from "./liveness.ts";

const START = Date.UTC(2027, 0, 31, 8);
const at = (ms: number) => new Date(START + ms);
const HOUR_MS = 3_600_000;
const signs = (change: Partial<HostSigns> = {}): HostSigns => ({
  ...{ enrolledAt: at(-HOUR_MS), removedAt: null, seenAt: at(0) },
  ...{ presence: "seen", presenceSince: null },
  ...change,
});
const stateAt = (ms: number, change: Partial<HostSigns> = {}, upMs = -HOUR_MS) =>
  hostState(signs(change), { upSince: at(upMs), now: at(ms) });

test("a host is seen, then late, then lost, by how long it was not heard", () => {
  expect(stateAt(LATE_AFTER_MS)).toBe("seen");
  expect(stateAt(LATE_AFTER_MS + 1)).toBe("late");
  expect(stateAt(LOST_AFTER_MS)).toBe("late");
  expect(stateAt(LOST_AFTER_MS + 1)).toBe("lost");
  expect(stateAt(0, { enrolledAt: null, seenAt: null })).toBe("expected");
  expect(stateAt(0, { removedAt: at(0) })).toBe("removed");
});

test("a server decides nothing before it has been up longer than the threshold", () => {
  const longSilent = { seenAt: at(-24 * HOUR_MS) };
  expect(stateAt(LATE_AFTER_MS, longSilent, 0)).toBe("seen");
  expect(stateAt(LATE_AFTER_MS + 1, longSilent, 0)).toBe("late");
  expect(stateAt(LOST_AFTER_MS, longSilent, 0)).toBe("late");
  expect(stateAt(LOST_AFTER_MS + 1, longSilent, 0)).toBe("lost");
});

test("a host that was noted as lost stays lost over a server's restart, until it is heard", () => {
  const lost = { presence: "lost", presenceSince: at(LOST_AFTER_MS) } as const;
  const restartMs = HOUR_MS;
  expect(stateAt(restartMs + 1, lost, restartMs)).toBe("lost");
  expect(stateAt(restartMs + 1, { ...lost, seenAt: at(restartMs) }, restartMs)).toBe("seen");
});
