import { listActs } from "../../src/agent/capacity/act-store.ts";
import { type EnableWish, enable } from "../../src/agent/capacity/enable.ts";
import { giveBack, type ReturnWish } from "../../src/agent/capacity/give-back.ts";
import { capacityOnce } from "../../src/agent/capacity/once.ts";
import type { AgentContext } from "../../src/agent/context.ts";
import { pinProvider } from "../../src/agent/trust/pin.ts";
import { type CapacityCode, capacityCodeSchema } from "../../src/enablement/capacity/code.ts";
import { type HashedRecord, usageRecordSchema } from "../../src/meter/record.ts";
import { Refusal } from "../../src/refusal/refusal.ts";
import { sign } from "../../src/signature/envelope.ts";
import { generateKey } from "../../src/signature/key.ts";
import { newId } from "../../src/unit/id.ts";
import type { Rig } from "./harness.ts";

/** Two of the four cores are in standby, with a GiB. */
export const STANDBY = { standbyCores: "2-3", standbyMemoryBytes: 2 ** 30 };
export const CORE = 1000;
export const SECOND_NS = 1_000_000_000n;

/** A provider that signs whatever codes a test wants. */
export function createProvider() {
  const key = generateKey();
  const providerId = newId("party");
  const name = "vendor";
  const issuedAt = "2027-01-31T00:00:00Z";
  let sequence = 0;
  const codeFor = (hostId: CapacityCode["aud"], change: Partial<CapacityCode> = {}) =>
    capacityCodeSchema.parse({
      ...{ jti: newId("code"), iss: providerId, providerName: name, aud: hostId, issuedAt },
      ...{ sequence: ++sequence, customer: { id: newId("party"), name: "owner" } },
      ...{ requestId: null, resource: "cpu", quantity: CORE },
      resourceTime: (BigInt(CORE) * 3600n * SECOND_NS).toString(),
      validity: { start: "2027-01-31T00:00:00Z", end: "2027-03-01T00:00:00Z" },
      billingPeriod: { kind: "fixed", seconds: 3600, anchor: "2027-01-31T00:00:00Z" },
      threshold: { kind: "allowance" },
      tariff: {
        ...{ version: 1, currency: "EUR", minorUnitDigits: 2, priceMicrosPerHour: "10000" },
        ...{ overdraftPriceMicrosPerHour: "20000", unreturnedPriceMicrosPerHour: "30000" },
        ...{ increment: "1", rounding: "up", operatorFeePpm: 0 },
      },
      reporting: { reportAfterSeconds: 10 ** 8, reportLimit: "1".repeat(35), graceSeconds: 60 },
      exhaustion: { policy: "stop-new", graceSeconds: 60, warnSeconds: 600 },
      returnMeans: ["ask", "repin", "next-boot"],
      ...change,
    });
  const card = { providerId, name, keys: [{ ...key.publicJwk }], issuedAt };
  return {
    ...{ key, providerId, codeFor },
    cardJws: sign("sublet-provider-card", card, key),
    sign: (code: CapacityCode, by = key) => sign("sublet-capacity-code", code, by),
    /** A code for this agent's host, as text. */
    code(context: AgentContext, change: Partial<CapacityCode> = {}) {
      return this.sign(codeFor(context.host.hostId, change));
    },
    pin: (context: AgentContext) => {
      const trust = pinProvider(context, sign("sublet-provider-card", card, key));
      if (!trust.ok) throw new Error(trust.message);
    },
  };
}
export type Provider = ReturnType<typeof createProvider>;

export async function enabled(context: AgentContext, wish: EnableWish) {
  const done = await enable(context, wish);
  if (done instanceof Refusal) throw done;
  return done;
}

export async function returned(context: AgentContext, wish: ReturnWish) {
  const done = await giveBack(context, wish);
  if (done instanceof Refusal) throw done;
  return done;
}

/** Rounds of the agent and of its capacity, with `ms` passing before each. */
export async function serveRounds(rig: Rig, context: AgentContext, count: number, ms: number) {
  for (let i = 0; i < count; i++) {
    await rig.rounds(context, 1, ms);
    await capacityOnce(context);
  }
}

/** All records of capacity on the host, chain by chain. */
export function recordsOf(context: AgentContext): readonly HashedRecord[] {
  return context.db
    .prepare(
      "SELECT hash, record FROM spool_record WHERE chain_id LIKE 'chain_%' ORDER BY chain_id, seq",
    )
    .all()
    .map((row) => ({
      hash: String(row.hash),
      record: usageRecordSchema.parse(JSON.parse(String(row.record))),
    }));
}

export function meteredOf(context: AgentContext): bigint {
  return recordsOf(context).reduce(
    (sum, { record }) => sum + BigInt(record.capacity?.meteredQuantity ?? 0),
    0n,
  );
}

export function actsOf(context: AgentContext) {
  return listActs(context.db, 1, 10_000).map(({ record }) => record.act);
}

/** What was done with codes; whom the owner trusts has tests of its own. */
export function kindsOf(context: AgentContext): readonly string[] {
  const acts = actsOf(context).filter(({ kind }) => kind !== "provider-trusted");
  return acts.map((act) => (act.kind === "time-to-bill" ? `time-to-bill ${act.reason}` : act.kind));
}
