import type { Grant } from "../../enablement/grant.ts";
import { removalJws, STRANGER_KEY } from "./export.sample.ts";
import { bill, cut, exported, type Mutation, OTHER, respell, spoil } from "./mutation.sample.ts";

const longer = (grant: Grant): Grant => ({
  ...grant,
  sequence: 2,
  period: { ...grant.period, end: "2027-01-31T11:00:00Z" },
});

/** For tests: the export's shape, the seal and the grants, bent. */
export const SERVER_MUTATIONS: readonly Mutation[] = [
  [
    "a total that is not a number",
    exported((e) => ({ bill: { ...e.bill, totalMicros: "1.5" } })),
    "export-malformed",
  ],
  ["a member that does not belong", exported(() => ({ extra: 1 })), "export-malformed"],
  [
    "a server key that is none",
    exported(() => ({ serverKeys: [{ kty: "RSA" }] })),
    "server-key-malformed",
  ],
  [
    "a server key under another kid",
    exported((e) => ({ serverKeys: [{ ...e.serverKeys[0], kid: "x" }] })),
    "server-key-malformed",
  ],

  [
    "a bill altered after sealing",
    exported((e) => ({ bill: { ...e.bill, totalMicros: "0" } })),
    "seal-other-document",
  ],
  [
    "the client's name altered",
    exported((e) => ({ bill: { ...e.bill, client: { ...e.bill.client, name: "other" } } })),
    "seal-other-document",
  ],
  [
    "the seal of another bill",
    exported((e) => ({ bill: { ...e.bill, billId: OTHER.bill } })),
    "seal-other-bill",
  ],
  ["a seal by another key", { sealKey: STRANGER_KEY }, "seal-unknown-key"],
  ["a seal that is a grant", exported((e) => ({ billJws: e.grantJws })), "seal-wrong-type"],
  ["a seal cut off", exported((e) => ({ billJws: cut(e.billJws) })), "seal-malformed"],
  [
    "a seal with another signature",
    exported((e) => ({ billJws: spoil(e.billJws) })),
    "seal-bad-signature",
  ],
  ["a seal by another server", { sealIss: "server-2" }, "issuer-differs"],

  ["no grant", exported(() => ({ grantJws: null })), "grant-missing"],
  ["a grant signed by another key", { grantKey: STRANGER_KEY }, "grant-unknown-key"],
  ["a grant cut off", exported((e) => ({ grantJws: cut(e.grantJws) })), "grant-malformed"],
  [
    "a grant whose last character is another that decodes alike",
    exported((e) => ({ grantJws: respell(e.grantJws) })),
    "grant-not-canonical",
  ],
  [
    "a grant with another signature",
    exported((e) => ({ grantJws: spoil(e.grantJws) })),
    "grant-bad-signature",
  ],
  [
    "a grant that is a wipe receipt",
    exported((e) => ({ grantJws: e.wipeReceiptJws })),
    "grant-wrong-type",
  ],
  [
    "a grant of another lease",
    { grant: (g) => ({ ...g, leaseId: OTHER.lease }) },
    "grant-other-lease",
  ],
  ["a grant for another host", { grant: (g) => ({ ...g, aud: OTHER.host }) }, "grant-other-host"],
  [
    "a grant of another partition",
    { grant: (g) => ({ ...g, partition: { ...g.partition, partitionId: OTHER.partition } }) },
    "grant-other-partition",
  ],
  [
    "a partition of another name",
    bill((b) => ({ partition: { ...b.partition, name: "other" } })),
    "grant-other-partition",
  ],
  [
    "a grant that names another host's key",
    { grant: (g) => ({ ...g, agentKeyThumbprint: STRANGER_KEY.kid }) },
    "grant-other-agent-key",
  ],
  [
    "a lower tariff in the grant",
    { grant: (g) => ({ ...g, tariff: { ...g.tariff, priceMicrosPerCoreHour: "1" } }) },
    "tariff-not-granted",
  ],
  [
    "another tariff in the bill",
    bill((b) => ({ tariff: { ...b.tariff, priceMicrosPerHour: "99999" } })),
    "tariff-not-granted",
  ],
  [
    "another fee in the bill",
    bill((b) => ({ tariff: { ...b.tariff, operatorFeePpm: 1 } })),
    "tariff-not-granted",
  ],
  [
    "an extension with another tariff",
    {
      extensions: (g) => [{ ...g, sequence: 2, tariff: { ...g.tariff, priceMicrosPerHour: "1" } }],
    },
    "extension-differs",
  ],
  [
    "an extension with another client key",
    { extensions: (g) => [{ ...longer(g), clientKey: `${g.clientKey}-other` }] },
    "extension-differs",
  ],
  [
    "an extension that is no longer than what it extends",
    { extensions: (g) => [{ ...g, sequence: 2 }] },
    "extension-not-longer",
  ],
  ["an extension out of order", { extensions: (g) => [g] }, "extension-out-of-order"],
  [
    "a bill that leaves out the final record which is there",
    bill(() => ({ incomplete: true, estimated: false })),
    "incomplete-with-final",
  ],
  [
    "a removal of another lease's host",
    exported(() => ({ removalJws: removalJws({ leaseId: OTHER.lease }) })),
    "removal-differs",
  ],
  [
    "a removal that another lender declared",
    exported(() => ({ removalJws: removalJws({ declaredBy: "party_01k0000000000000000009" }) })),
    "removal-differs",
  ],
  [
    "a removal that the server did not sign",
    exported(() => ({ removalJws: removalJws({}, STRANGER_KEY) })),
    "removal-unknown-key",
  ],
  [
    "an extension cut off",
    exported((e) => ({ extensionGrantJws: [cut(e.grantJws)] })),
    "extension-malformed",
  ],
];
