import type { Act } from "../../../enablement/capacity/act.ts";
import { newId } from "../../../unit/id.ts";
import type { FindingCode } from "../finding.ts";
import type { CapacityBend } from "./export.sample.ts";

const resumed = (change: (act: Act) => Partial<Act>): CapacityBend => ({
  act: (one) => (one.act.kind === "service-resumed" ? { ...one, ...change(one) } : one),
});

/** What was done to an honest export's pause, and the finding that must name it. */
export const PAUSE_MUTATIONS: readonly (readonly [string, CapacityBend, FindingCode])[] = [
  [
    "a record that counts while its timer stood still",
    resumed(() => ({ monotonicNs: "9".repeat(20) })),
    "record-in-pause",
  ],
  [
    "a service that is resumed and was not paused",
    resumed(({ act }) => ({ act: { ...act, serviceId: newId("service") } as Act["act"] })),
    "pause-out-of-turn",
  ],
];
