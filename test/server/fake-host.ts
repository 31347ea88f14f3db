import { createHash } from "node:crypto";
import { type Client, createClient } from "../../src/api/client/client.ts";
import type { Report } from "../../src/api/contract/agent.ts";
import type { SentBody } from "../../src/api/contract/contract.ts";
import { type Grant, grantSchema } from "../../src/enablement/grant.ts";
import { readJoinToken } from "../../src/host/join-token.ts";
import { chainOrigin, hashRecord } from "../../src/meter/chain.ts";
import type { HashedRecord, UsageRecord } from "../../src/meter/record.ts";
import { sign, verify } from "../../src/signature/envelope.ts";
import { generateKey, importPublicKey, keyRing, type SigningKey } from "../../src/signature/key.ts";
import { type HostId, type LeaseId, newId } from "../../src/unit/id.ts";
import { depositFor, type TestServer } from "./harness.ts";

export const GIB = 2 ** 30;

/** A host's agent as the server sees it: real signatures, no guests. */
export interface FakeHost {
  readonly hostId: HostId;
  readonly key: SigningKey;
  readonly agent: Client;
  readonly serverKeys: ReturnType<typeof keyRing>;
  report(...reports: DistributiveOmit<Report, "reportId" | "at">[]): Promise<void>;
}
type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

export async function enrolFakeHost(
  server: TestServer,
  lender: Client,
  name: string,
  base = { cpuMilli: 4000, memoryBytes: 8 * GIB, diskBytes: 100 * GIB },
): Promise<FakeHost> {
  const { joinToken } = await lender.call("addHost", { body: { name } });
  const token = readJoinToken(joinToken);
  if (!token) throw new Error("not a join token");
  const key = generateKey();
  const anyone = createClient({ url: server.url });
  const body = { secret: token.secret, publicJwk: { ...key.publicJwk }, capacity: capacity(base) };
  const { hostId, serverId, serverKeys } = await anyone.call("enrolHost", { body });
  const agent = createClient({
    url: server.url,
    authorization: () => {
      const iat = Math.floor(server.context.clock.now().getTime() / 1000);
      return sign("sublet-agent-token", { iss: hostId, aud: serverId, iat, exp: iat + 60 }, key);
    },
  });
  return {
    hostId,
    key,
    agent,
    serverKeys: keyRing(serverKeys.map((jwk) => importPublicKey(jwk))),
    report: async (...reports) => {
      const at = server.context.clock.now().toISOString();
      const sent = reports.map((one) => ({ ...one, reportId: newId("report"), at }) as Report);
      const { refused } = await agent.call("report", { body: { reports: sent } });
      if (refused[0]) throw new Error(`${refused[0].code}: ${refused[0].message}`);
    },
  };
}

export function capacity(base: { cpuMilli: number; memoryBytes: number; diskBytes: number }) {
  return {
    architecture: "x86_64" as const,
    reserve: { cpuMilli: 250, memoryBytes: GIB, diskBytes: GIB },
    base,
    facts: {
      accelerator: "tcg" as const,
      acceleratorReason: "a test",
      driver: "memory",
      driverVersion: "1",
      kernel: "6.1",
      cores: [0, 1, 2, 3],
      ...{ sharedCpu: false, memoryLimit: true, controlGroupsReason: "a host in memory" },
      ...{ internet: true, internetReason: "a host in memory" },
      cpuModel: "a test",
    },
  };
}

/** The grant as a host reads it: verified. */
export async function readGrant(host: FakeHost, leaseId: LeaseId) {
  const desired = await host.agent.call("readDesired");
  const jws = desired.leases.find((lease) => lease.leaseId === leaseId)?.grantJws;
  if (!jws) throw new Error(`no grant for ${leaseId}`);
  const verified = verify({ jws, typ: "sublet-grant", keys: host.serverKeys, schema: grantSchema });
  if (!verified.ok) throw new Error(verified.message);
  return { jws, grant: verified.payload };
}

/** The extensions that wait for the host, as it reads them: verified. */
export async function readExtensions(host: FakeHost, leaseId: LeaseId) {
  const desired = await host.agent.call("readDesired");
  const told = desired.leases.find((lease) => lease.leaseId === leaseId)?.extensionJws ?? [];
  return told.map((jws) => {
    const verified = verify({
      ...{ jws, typ: "sublet-grant" as const, keys: host.serverKeys, schema: grantSchema },
    });
    if (!verified.ok) throw new Error(verified.message);
    return { jws, sha256: createHash("sha256").update(jws).digest("hex"), grant: verified.payload };
  });
}
export type ExtensionCode = Awaited<ReturnType<typeof readExtensions>>[number];

/** The host takes an extension: the one that waits, or one that it read before. */
export async function acknowledgeExtension(
  host: FakeHost,
  leaseId: LeaseId,
  read?: ExtensionCode,
): Promise<void> {
  const code = read ?? (await readExtensions(host, leaseId))[0];
  if (!code) throw new Error(`no extension of ${leaseId} waits`);
  const { jti, sequence, period } = code.grant;
  const word = { leaseId, hostId: host.hostId, grantJti: jti, sequence, end: period.end };
  const acknowledgedAt = new Date().toISOString();
  await host.report({
    kind: "extended",
    leaseId,
    extensionJws: code.jws,
    acknowledgementJws: sign("sublet-extended", { ...word, acknowledgedAt }, host.key),
  });
}

export async function becomeReady(host: FakeHost, leaseId: LeaseId): Promise<void> {
  const access = {
    leaseId,
    hostId: host.hostId,
    address: "127.0.0.1",
    port: 2222,
    user: "root",
    hostKey: "ssh-ed25519 AAAA",
  };
  await host.report({ kind: "ready", leaseId, accessJws: sign("sublet-access", access, host.key) });
}

/** Records of `seconds` delivered each, numbered and linked; the last one is final. */
export function makeRecords(
  host: FakeHost,
  { jws, grant }: { jws: string; grant: Grant },
  seconds: readonly number[],
  { cpuNs = 0n } = {},
): HashedRecord[] {
  const records: HashedRecord[] = [];
  let fromNs = 1_000_000_000n;
  let previousHash = chainOrigin(jws);
  const startMs = new Date(grant.period.start).getTime();
  const instant = (ns: bigint) => ({
    at: new Date(startMs + Number(ns / 1_000_000n) - 1000).toISOString(),
    bootId: "boot",
    monotonicNs: ns.toString(),
  });
  for (const [index, length] of seconds.entries()) {
    const elapsedNs = BigInt(length) * 1_000_000_000n;
    const record: UsageRecord = {
      version: 1,
      chainId: grant.leaseId,
      seq: index + 1,
      previousHash,
      hostId: host.hostId,
      partitionId: grant.partition.partitionId,
      cpuMode: grant.partition.cpuMode,
      size: grant.partition.size,
      from: instant(fromNs),
      to: instant(fromNs + elapsedNs),
      elapsedNs: elapsedNs.toString(),
      deliveredNs: elapsedNs.toString(),
      cpuNs: cpuNs.toString(),
      gap: false,
      final: index === seconds.length - 1,
    };
    previousHash = hashRecord(record);
    records.push({ record, hash: previousHash });
    fromNs += elapsedNs;
  }
  return records;
}

export function signBatch(host: FakeHost, records: readonly HashedRecord[]): string {
  const chainId = records[0]?.record.chainId;
  const batch = { batchId: newId("batch"), hostId: host.hostId, chainId, records };
  return sign("sublet-usage", batch, host.key);
}

export async function becomeWiped(
  host: FakeHost,
  { grant }: { grant: Grant },
  records: readonly HashedRecord[],
  reason = "ended-by-client",
): Promise<void> {
  const last = records.at(-1);
  const receipt = {
    leaseId: grant.leaseId,
    hostId: host.hostId,
    partitionId: grant.partition.partitionId,
    grantJti: grant.jti,
    wipedAt: new Date(grant.period.start).toISOString(),
    files: 3,
    bytes: 1000,
    finalSeq: last?.record.seq ?? 0,
    finalHash: last?.hash ?? createHash("sha256").update(grant.leaseId).digest("hex"),
    reason,
  };
  const receiptJws = sign("sublet-wipe-receipt", receipt, host.key);
  await host.report({ kind: "wiped", leaseId: grant.leaseId, receiptJws });
}

export const SSH_KEY = `ssh-ed25519 ${Buffer.alloc(51, 7).toString("base64")} test`;

export function bookingOf(
  change: Partial<SentBody<"search">> = {},
  more: Partial<SentBody<"bookLease">> = {},
): SentBody<"bookLease"> {
  const requirement = {
    size: { cpuMilli: 1000, memoryBytes: GIB, diskBytes: GIB },
    os: "small-linux",
    durationSeconds: 3600,
    ...change,
  };
  return { requirement, sshPublicKey: SSH_KEY, ...more };
}

export interface Market {
  readonly server: TestServer;
  readonly lender: Client;
  readonly client: Client;
  readonly host: FakeHost;
}

/** A lender with one host, a partition `lend` on offer and `own` that is not; a client with 10.00. */
export async function openMarket(server: TestServer): Promise<Market> {
  const { client: lender } = await server.party("lender", ["lender"]);
  const { client } = await server.party("client", ["client"]);
  await depositFor(server, "client", 10_000_000n);
  await addTestImage(server);
  const host = await enrolFakeHost(server, lender, "h1");
  const size = { cpuMilli: 2000, memoryBytes: 2 * GIB, diskBytes: 10 * GIB };
  const params = { host: "h1", name: "lend" };
  await lender.call("setPartition", {
    params,
    body: { lendable: true, cpuMode: "dedicated", size, max: { ...size, cpuMilli: 3000 } },
  });
  await lender.call("setPartition", {
    params: { host: "h1", name: "own" },
    body: { lendable: false, cpuMode: "dedicated", size: { ...size, cpuMilli: 1000 } },
  });
  await lender.call("setOffer", { params, body: offerOf() });
  return { server, lender, client, host };
}

export function offerOf(change: Partial<SentBody<"setOffer">> = {}): SentBody<"setOffer"> {
  return {
    priceMicrosPerCoreHour: "100000",
    priceMicrosPerMemoryGibHour: "10000",
    priceMicrosPerDiskGibHour: "1000",
    priceMicrosPerHour: "0",
    leaseSecondsMin: 60,
    leaseSecondsMax: 7 * 86_400,
    ...change,
  };
}

export async function addTestImage(
  server: TestServer,
  { version = "1", initramfs = Buffer.from("a test's initramfs") } = {},
): Promise<void> {
  const parts = [];
  for (const role of ["kernel", "initramfs"] as const) {
    const content = role === "kernel" ? Buffer.from("a test's kernel") : initramfs;
    const digest = `sha256:${createHash("sha256").update(content).digest("hex")}`;
    await server.operator.fetch(`/v1/operator/blobs/${digest}`, {
      method: "PUT",
      body: content,
      headers: { "content-type": "application/octet-stream" },
    });
    parts.push({ role, digest, sizeBytes: content.length });
  }
  await server.operator.call("addImage", {
    body: {
      manifest: {
        name: "small-linux",
        version,
        architecture: "x86_64",
        boot: { kind: "kernel", kernelArguments: "" },
        user: "root",
        memoryBytesMin: 64 * 2 ** 20,
        parts,
      },
    },
  });
}
