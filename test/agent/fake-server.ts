import type { Client } from "../../src/api/client/client.ts";
import { ApiError, UnreachableError } from "../../src/api/client/error.ts";
import type { DesiredState, Report } from "../../src/api/contract/agent.ts";
import { contract } from "../../src/api/contract/contract.ts";
import type { Operation } from "../../src/api/contract/operation.ts";
import type { LentCode } from "../../src/enablement/capacity/lent.ts";
import type { Grant } from "../../src/enablement/grant.ts";
import type { PowerState } from "../../src/enablement/power.ts";
import { writeJoinToken } from "../../src/host/join-token.ts";
import { keyRotationSchema } from "../../src/host/signed.ts";
import { type HashedRecord, usageBatchSchema } from "../../src/meter/record.ts";
import { sign, verify } from "../../src/signature/envelope.ts";
import {
  generateKey,
  importPublicKey,
  keyRing,
  type PublicJwk,
  type SigningKey,
} from "../../src/signature/key.ts";
import { type LeaseId, newId, type PartyId } from "../../src/unit/id.ts";
import { createFileServer, imageManifest } from "./fake-image.ts";

export const GIB = 1024 ** 3;
const CLIENT_KEY =
  "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

const TARIFF: Grant["tariff"] = {
  version: 1,
  currency: "EUR",
  minorUnitDigits: 2,
  priceMicrosPerCoreHour: "10000",
  priceMicrosPerMemoryGibHour: "1000",
  priceMicrosPerDiskGibHour: "10",
  priceMicrosPerHour: "0",
  operatorFeePpm: 0,
  rounding: "half-even",
};

/**
 * The server's half of the agent's contract, in memory and with real signatures. Its own time is
 * `timeMs`, which no clock of the agent's computer moves.
 */
export function createFakeServer(timeMs: () => number) {
  const key = generateKey();
  const hostId = newId("host");
  const serverId = "server-under-test";
  const state = {
    isAway: false,
    desired: {
      ...{
        hostId,
        generation: 1,
        partitions: [],
        removedPartitionIds: [],
        leases: [],
        consoleRequests: [],
        successionJws: [],
      },
    } as DesiredState,
    agentKey: null as PublicJwk | null,
    /** The present one and those before it. */
    agentKeys: new Map<string, PublicJwk>(),
    consoles: [] as string[],
    /** As the agent last told them. */
    lentCodes: [] as readonly LentCode[],
    /** To the owner's orders. */
    answers: [] as { outcome: string; message: string }[],
    reports: new Map<string, Report>(),
    /** Who gives the receipts for enabled capacity here. */
    provider: null as { readonly providerId: PartyId; readonly key: SigningKey } | null,
    /** By chain and number. */
    records: new Map<string, HashedRecord>(),
    /** Lets a test spoil an answer on its way. */
    spoil: (_name: string, answer: unknown): unknown => answer,
  };
  const files = createFileServer();

  const instant = (offsetMs: number) => new Date(timeMs() + offsetMs).toISOString();
  const handlers: Record<string, (body: never) => unknown> = {
    enrolHost: ({ publicJwk }: { publicJwk: Record<string, string> }) => {
      const offered = importPublicKey(publicJwk);
      if (state.agentKey !== null && state.agentKey.kid !== offered.kid) {
        const detail = "another agent used it";
        throw new ApiError({ code: "enrolment-token-invalid", status: 401, detail });
      }
      state.agentKey = offered;
      state.agentKeys.set(offered.kid, offered);
      return { hostId, name: "attic", serverId, serverKeys: [key.publicJwk], successionJws: [] };
    },
    rotateHostKey: ({ byOldKeyJws, byNewKeyJws }: Record<string, string>) => {
      const signed = { typ: "sublet-key-rotation", schema: keyRotationSchema } as const;
      const old = verify({ ...signed, jws: byOldKeyJws ?? "", keys: state.agentKeys });
      if (!old.ok) throw new Error(old.message);
      const next = importPublicKey(old.payload.newJwk);
      const again = verify({ ...signed, jws: byNewKeyJws ?? "", keys: keyRing([next]) });
      if (!again.ok) throw new Error(again.message);
      if (state.agentKey?.kid !== next.kid && state.agentKey?.kid !== old.kid) {
        throw new Error("that key is not the host's any more");
      }
      state.agentKey = next;
      state.agentKeys.set(next.kid, next);
      return { hostId, kid: next.kid };
    },
    tellTime: ({ nonce }: { nonce: string }) => {
      const time = { iss: serverId, aud: hostId, nonce, now: instant(0) };
      return { timeJws: sign("sublet-time", time, key), successionJws: [] };
    },
    listImages: () => ({
      images: [
        {
          ...{ imageId: newId("image"), digest: files.image.digest, manifest: imageManifest },
          createdAt: instant(0),
        },
      ],
    }),
    readDesired: () => state.desired,
    report: ({ reports }: { reports: Report[] }) => {
      for (const report of reports) {
        if (!state.reports.has(report.reportId)) state.reports.set(report.reportId, report);
      }
      return { accepted: reports.map(({ reportId }) => reportId), refused: [] };
    },
    answerConsole: ({ contentBase64 }: { contentBase64: string }) => {
      state.consoles.push(Buffer.from(contentBase64, "base64").toString());
      return { isAwaited: true };
    },
    reportCapacity: ({ lentCodes = [] }: { lentCodes?: readonly LentCode[] }) => {
      state.lentCodes = lentCodes;
      return { hostId, serverKeys: [key.publicJwk] };
    },
    answerCapacityOrder: (answer: { outcome: string; message: string }) => {
      state.answers.push(answer);
      return { orderId: newId("order") };
    },
    sendUsage: ({ usageJws }: { usageJws: string }) => takeUsage(usageJws),
  };
  const takeUsage = (jws: string) => {
    const verified = verify({
      jws,
      typ: "sublet-usage",
      keys: state.agentKeys,
      schema: usageBatchSchema,
    });
    if (!verified.ok) throw new Error(verified.message);
    const { batchId, chainId, records } = verified.payload;
    // Of enabled capacity the receipt is its provider's, who may be elsewhere.
    const by = chainId.startsWith("chain_") ? state.provider : { providerId: serverId, key };
    if (by === null) {
      throw new ApiError({ code: "acts-first", detail: "no provider's here", status: 409 });
    }
    for (const hashed of records) {
      const name = `${chainId} ${hashed.record.seq}`;
      const known = state.records.get(name);
      if (known !== undefined && known.hash !== hashed.hash) throw new Error("another content");
      state.records.set(name, hashed);
    }
    const names = [...state.records.keys()];
    const contiguousSeq = names.filter((name) => name.startsWith(`${chainId} `)).length;
    const about = { iss: by.providerId, aud: hostId, batchId, chainId };
    const receipt = { ...about, contiguousSeq, receivedAt: instant(0) };
    return { receiptJws: sign("sublet-receipt", receipt, by.key) };
  };

  const client: Client = {
    headers: async () => ({}),
    url: "http://server.test",
    async call(name, ...[input]) {
      if (state.isAway) throw new UnreachableError("http://server.test", new Error("away"));
      const op = (contract as Readonly<Record<string, Operation>>)[name];
      if (op === undefined) throw new Error(`there is no operation ${name}`);
      const given = ((input as unknown) ?? {}) as { body?: unknown };
      const body = op.body === undefined ? undefined : op.body.parse(given.body);
      const answer = op.response.parse(handlers[name]?.(body as never));
      return state.spoil(name, answer) as never;
    },
    async fetch(path, init) {
      if (state.isAway) throw new UnreachableError("http://server.test", new Error("away"));
      return files.answer(path, init);
    },
  };

  const partitionId = newId("partition");
  const size = { cpuMilli: 1000, memoryBytes: GIB, diskBytes: 2 * GIB };
  const grantOf = (change: Partial<Grant> & { seconds?: number } = {}): Grant => {
    const { seconds = 30, ...rest } = change;
    return {
      jti: newId("key"),
      iss: serverId,
      aud: hostId,
      issuedAt: instant(0),
      leaseId: newId("lease"),
      sequence: 1,
      partition: { partitionId, name: "p1", cpuMode: "dedicated", size },
      period: { start: instant(0), end: instant(seconds * 1000) },
      image: { imageId: newId("image"), digest: files.image.digest, manifest: imageManifest },
      clientKey: CLIENT_KEY,
      tariff: TARIFF,
      agentKeyThumbprint: state.agentKey?.kid ?? "",
      ...rest,
    };
  };
  return {
    ...{ key, hostId, serverId, state, files, client, partitionId, size, grantOf },
    joinToken: writeJoinToken({
      ...{ v: 1, url: "http://server.test", secret: "once" },
      ...{ serverId, serverKid: key.kid },
    }),
    signGrant: (grant: Grant, by = key) => sign("sublet-grant", grant, by),
    signPower: (leaseId: LeaseId, state: PowerState, generation: number, by = key) => {
      const order = { jti: newId("power"), iss: serverId, aud: hostId, issuedAt: instant(0) };
      return sign("sublet-power", { ...order, leaseId, state, generation }, by);
    },
    signEnd: (leaseId: LeaseId, reason = "ended-by-client", by = key) => {
      const order = { jti: newId("key"), iss: serverId, aud: hostId, issuedAt: instant(0) };
      return sign("sublet-end", { ...order, leaseId, reason }, by);
    },
    desire: (change: Partial<DesiredState>) => {
      const generation = state.desired.generation + 1;
      state.desired = { ...state.desired, ...change, generation };
    },
    partition: (change: object = {}): DesiredState["partitions"][number] => ({
      ...{ partitionId, name: "p1", lendable: true, cpuMode: "dedicated", size, generation: 1 },
      min: { cpuMilli: 10, memoryBytes: 0, diskBytes: 0 },
      max: { cpuMilli: 64_000, memoryBytes: 64 * GIB, diskBytes: 64 * GIB },
      ...change,
    }),
    reportsOf: (kind: Report["kind"], leaseId?: string) =>
      [...state.reports.values()].filter(
        (report) => report.kind === kind && (leaseId === undefined || report.leaseId === leaseId),
      ),
  };
}
export type FakeServer = ReturnType<typeof createFakeServer>;
