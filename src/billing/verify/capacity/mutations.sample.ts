import type { Act } from "../../../enablement/capacity/act.ts";
import type { UsageRecord } from "../../../meter/record.ts";
import { newId } from "../../../unit/id.ts";
import {
  act,
  bill,
  type CapacityMutation,
  capacity,
  HASH,
  more,
  record,
  shift,
  spoil,
} from "./bends.sample.ts";
import { BILL_MUTATIONS } from "./bill-mutations.sample.ts";
import { STRANGER } from "./export.sample.ts";

/** What was done to an honest export of capacity, and the finding that must name it. */
export const CAPACITY_MUTATIONS: readonly CapacityMutation[] = [
  [
    "a provider's key that is none",
    { exported: (e) => ({ ...e, providerKeys: [{ kty: "RSA" } as never] }) },
    "capacity-key-malformed",
  ],
  [
    "another provider's key",
    { exported: (e) => ({ ...e, providerKeys: [{ ...STRANGER.publicJwk }] }) },
    "code-unknown-key",
  ],
  [
    "another host's key",
    { exported: (e) => ({ ...e, agentKeys: [{ ...STRANGER.publicJwk }] }) },
    "acts-unknown-key",
  ],
  [
    "a code with a spoilt signature",
    { exported: (e) => ({ ...e, codeJws: e.codeJws.map(spoil) }) },
    "code-bad-signature",
  ],
  [
    "acts with a spoilt signature",
    { exported: (e) => ({ ...e, acts: e.acts.map(spoil) }) },
    "acts-bad-signature",
  ],
  [
    "records with a spoilt signature",
    { exported: (e) => ({ ...e, usageBatches: e.usageBatches.map(spoil) }) },
    "batch-bad-signature",
  ],
  [
    "a seal with a spoilt signature",
    {
      exported: (e) => ({
        ...e,
        bills: e.bills.map((one) => ({ ...one, billJws: spoil(one.billJws) })),
      }),
    },
    "seal-bad-signature",
  ],
  [
    "a code twice",
    { exported: (e) => ({ ...e, codeJws: [...e.codeJws, ...e.codeJws] }) },
    "code-repeated",
  ],
  [
    "another customer",
    { exported: (e) => ({ ...e, customerId: newId("party") }) },
    "code-other-parties",
  ],
  ["another host", { exported: (e) => ({ ...e, hostId: newId("host") }) }, "acts-other-host"],
  [
    "a bill of another customer",
    bill(({ client }) => ({ client: { ...client, id: newId("party") } })),
    "bill-other-parties",
  ],
  [
    "a code that is not the accepted one",
    { code: (code) => ({ ...code, providerName: "other" }) },
    "code-accepted-differs",
  ],
  [
    "a chain that hangs on another code's text",
    { code: (code) => ({ ...code, providerName: "other" }) },
    "record-not-from-code",
  ],
  [
    "a price raised in the code",
    {
      code: (code) => ({
        ...code,
        tariff: { ...(code.tariff as object), priceMicrosPerHour: "1" },
      }),
    },
    "tariff-not-granted",
  ],
  [
    "less resource-time in the code",
    { code: (code) => ({ ...code, resourceTime: "5" }) },
    "code-overdrawn",
  ],
  [
    "more resource-time in the code",
    { code: (code) => ({ ...code, resourceTime: more(String(code.resourceTime)) }) },
    "draw-order-differs",
  ],
  [
    "a code that had ended",
    {
      code: (code) => ({
        ...code,
        validity: { start: "2026-01-01T00:00:00.000Z", end: "2026-01-02T00:00:00.000Z" },
      }),
    },
    "draw-not-valid",
  ],
  [
    "an act of another host",
    {
      acts: (b) => ({
        ...b,
        acts: b.acts.map((one) => ({ ...one, record: { ...one.record, hostId: newId("host") } })),
      }),
    },
    "act-other-host",
  ],
  [
    "an act with another hash",
    {
      acts: (b) => ({
        ...b,
        acts: b.acts.map((one, at) => (at === 1 ? { ...one, hash: HASH } : one)),
      }),
    },
    "act-bad-hash",
  ],
  [
    "an act that was taken out",
    { acts: (b) => ({ ...b, acts: b.acts.filter((_, at) => at !== 1) }) },
    "act-missing",
  ],
  [
    "two acts of one number",
    {
      acts: (b) => ({
        ...b,
        acts: [...b.acts, ...b.acts.slice(0, 1).map((one) => ({ ...one, hash: HASH }))],
      }),
    },
    "act-repeated-differently",
  ],
  [
    "an act that links to another",
    {
      acts: (b) => ({
        ...b,
        acts: b.acts.map((one, at) =>
          at === 2 ? { ...one, record: { ...one.record, previousHash: HASH } } : one,
        ),
      }),
    },
    "act-broken-link",
  ],
  [
    "a head that is no act",
    { acts: (b) => ({ ...b, head: { ...b.head, hash: HASH } }) },
    "acts-head-differs",
  ],
  ["an act with less run time", act("chain-begun", () => ({ runNs: "0" })), "act-clock-backwards"],
  [
    "another reason to bill",
    act("time-to-bill", (a) => ({ act: { ...a.act, reason: "returned" } as Act["act"] })),
    "bill-act-differs",
  ],
  [
    "another period to bill",
    act("time-to-bill", (a) => ({
      act: { ...a.act, period: { start: a.at, end: shift(a.at) } } as Act["act"],
    })),
    "period-differs",
  ],
  [
    "a service that no act begins",
    act("service-begun", (a) => ({ act: { ...a.act, serviceId: newId("service") } as Act["act"] })),
    "service-missing",
  ],
  [
    "a chain that no act begins",
    act("chain-begun", (a) => ({ act: { ...a.act, chainId: newId("chain") } as Act["act"] })),
    "chain-unknown",
  ],
  [
    "a service of another size",
    act("service-begun", (a) => ({ act: { ...a.act, quantity: 9000 } as Act["act"] })),
    "record-other-size",
  ],
  ["a record of another host", record(() => ({ hostId: newId("host") })), "record-other-host"],
  [
    "a record of another partition",
    record(() => ({ partitionId: newId("partition") })),
    "record-other-partition",
  ],
  ["a record of another chain", record(() => ({ chainId: newId("chain") })), "record-other-chain"],
  ["a record in another mode", record(() => ({ cpuMode: "shared" })), "record-other-cpu-mode"],
  [
    "a record that is longer than its clock",
    record((r) => ({ elapsedNs: more(r.elapsedNs) })),
    "record-elapsed-differs",
  ],
  [
    "more delivered than elapsed",
    record((r) => ({ deliveredNs: more(r.elapsedNs) })),
    "record-delivered-above-elapsed",
  ],
  [
    "delivery across a restart",
    record((r) => ({ to: { ...r.to, bootId: "other" } })),
    "record-delivered-across-boots",
  ],
  ["a final record in the middle", record(() => ({ final: true })), "record-after-final"],
  [
    "a record that begins elsewhere",
    record((r) => ({ from: { ...r.from, monotonicNs: more(r.from.monotonicNs) } })),
    "record-not-joined",
  ],
  [
    "less delivered than metered",
    record((r) => ({ deliveredNs: more(r.deliveredNs, -5n) })),
    "metered-differs",
  ],
  [
    "a record without capacity",
    { record: ({ capacity: _, ...rest }) => rest as UsageRecord },
    "record-without-capacity",
  ],
  [
    "a record of another service",
    capacity(() => ({ serviceId: newId("service") })),
    "record-other-service",
  ],
  [
    "a record of another period",
    capacity((c) => ({ period: { start: shift(c.period.start), end: shift(c.period.end) } })),
    "record-period-differs",
  ],
  [
    "a threshold on dedicated use",
    capacity(() => ({ threshold: { kind: "allowance", milliCoreNs: "1" } })),
    "record-threshold-differs",
  ],
  [
    "a threshold that changes in the period",
    capacity(() => ({ threshold: { kind: "allowance", milliCoreNs: "1" } })),
    "threshold-changed",
  ],
  [
    "a threshold that no act states",
    act("chain-begun", ({ act: one }) => ({
      act: {
        ...one,
        ...("threshold" in one && one.threshold
          ? { threshold: { kind: "allowance", milliCoreNs: "1" } }
          : {}),
      } as Act["act"],
    })),
    "threshold-not-stated",
  ],
  [
    "more metered than drawn",
    capacity((c) => ({ meteredQuantity: more(c.meteredQuantity) })),
    "record-debits-differ",
  ],
  [
    "overdraft while a code had time left",
    capacity((c) => ({ overdraft: c.meteredQuantity, debits: [] })),
    "draw-order-differs",
  ],
  [
    "the owner's use of a code that was lent",
    act("code-accepted", ({ act: one }) =>
      "codeId" in one ? { act: { kind: "code-lent", codeId: one.codeId } } : {},
    ),
    "draw-of-lent",
  ],
  [
    "unreturned without a word in the bill",
    capacity(() => ({ state: "unreturned" })),
    "line-missing",
  ],
  [
    "a record with another hash",
    { hashed: (all) => all.map((one, at) => (at === 1 ? { ...one, hash: HASH } : one)) },
    "record-bad-hash",
  ],
  [
    "a record that was taken out",
    { hashed: (all) => all.filter((_, at) => at !== 1) },
    "record-missing",
  ],
  [
    "two records of one number",
    { hashed: (all) => [...all, ...all.slice(0, 1).map((one) => ({ ...one, hash: HASH }))] },
    "record-repeated-differently",
  ],
  ...BILL_MUTATIONS,
];
