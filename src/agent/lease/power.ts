import { inTransaction } from "../../meter/transaction.ts";
import { type AgentContext, instantNow } from "../context.ts";
import { ensureImage } from "../image/cache.ts";
import { storeReading } from "../metering.ts";
import { queueReport } from "../report/store.ts";
import { guestSpec } from "./guest-spec.ts";
import { grantOf } from "./starting.ts";
import { changeLease, type LeaseRow } from "./store.ts";

/** Effects of the client's wishes for its guest's power. Each may be repeated after a crash. */

/**
 * ACPI's power button, then the end of the process. The disk stays, and so does the reservation: the
 * lease goes on and is paid for, as when the guest itself powers off.
 */
export async function powerOff(context: AgentContext, lease: LeaseRow): Promise<void> {
  const { db, driver, config } = context;
  await driver.stop(lease.leaseId, config.stopGraceMs);
  const observation = await driver.observe(lease.leaseId);
  const isDone = lease.powerState === "off";
  inTransaction(db, () => {
    storeReading(context, lease, observation, lease.silentReadings === 0);
    changeLease(db, lease.leaseId, {
      isDelivered: false,
      isPowerCut: true,
      ...(isDone ? { powerDoneGeneration: lease.powerGeneration } : {}),
    });
    reportPower(context, lease, "powered-off", isDone);
  });
}

/** The same disk, the same port, the same host key: the client's way in is what it was. */
export async function powerOn(context: AgentContext, lease: LeaseRow): Promise<void> {
  await readWhileOff(context, lease);
  await ensureImage(context, grantOf(lease).image.manifest);
  await context.driver.boot(guestSpec(context, lease));
  inTransaction(context.db, () => {
    changeLease(context.db, lease.leaseId, {
      bootedAtNs: context.clock.monotonicNs(),
      isDelivered: false,
      isPowerCut: false,
      powerDoneGeneration: lease.powerGeneration,
      failures: 0,
    });
    reportPower(context, lease, "powered-on", true);
  });
}

/** What it was off for is paid until now; while it boots it is not delivered. */
async function readWhileOff(context: AgentContext, lease: LeaseRow): Promise<void> {
  const observation = await context.driver.observe(lease.leaseId);
  if (lease.silentReadings > 0 || !WISHED_OFF.includes(observation.exitReason ?? "")) return;
  inTransaction(context.db, () => storeReading(context, lease, observation, true));
}

/** A guest that crashed or whose process died was not off by its client's wish. */
const WISHED_OFF = ["stopped", "guest-powered-off"];

/** The guest runs already. */
export function confirmPower(context: AgentContext, lease: LeaseRow): void {
  inTransaction(context.db, () => {
    changeLease(context.db, lease.leaseId, { powerDoneGeneration: lease.powerGeneration });
    reportPower(context, lease, "powered-on", true);
  });
}

function reportPower(
  context: AgentContext,
  lease: LeaseRow,
  kind: "powered-off" | "powered-on",
  isDone: boolean,
): void {
  const about = { leaseId: lease.leaseId, at: instantNow(context) };
  const { powerGeneration: generation } = lease;
  queueReport(context.db, about, { kind, reason: "asked-by-client", generation, isDone });
  context.log.info({ leaseId: lease.leaseId, generation, isDone }, `a guest is ${kind}`);
}
