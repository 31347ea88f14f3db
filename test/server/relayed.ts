import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { PassThrough, Writable } from "node:stream";
import { expect, vi } from "vitest";
import type { AgentOptions } from "../../src/agent/config.ts";
import { type RunningAgent, runAgent } from "../../src/agent/main.ts";
import type { Client } from "../../src/api/client/client.ts";
import { throughRelay } from "../../src/cli/ssh/tunnel.ts";
import { createMemoryDriver, type MemoryDriver } from "../../src/partition/memory/driver.ts";
import { type LeaseId, newId } from "../../src/unit/id.ts";
import { MACHINE } from "../agent/harness.ts";
import { testLog } from "../setup/log.ts";
import { bookingOf, GIB, offerOf } from "./fake-host.ts";

/** What listens in the place of a guest's SSH: no driver in memory has one. */
export interface StandIn {
  readonly port: number;
  readonly connections: Set<Socket>;
  close(): Promise<void>;
}

export async function standIn(serve: (socket: Socket) => void): Promise<StandIn> {
  const connections = new Set<Socket>();
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    connections.add(socket);
    socket.on("close", () => connections.delete(socket));
    socket.on("error", () => socket.destroy());
    serve(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    connections,
    close: async () => {
      for (const socket of connections) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** A real agent, with guests in memory that listen at `port`, as the host `relayed`, lending two. */
export async function startRelayedAgent(
  lender: Client,
  folder: string,
  port: () => number,
  options: Partial<AgentOptions> = {},
): Promise<{ agent: RunningAgent; driver: MemoryDriver }> {
  const { joinToken } = await lender.call("addHost", { body: { name: "relayed" } });
  const driver = createMemoryDriver({ port });
  const log = { ...testLog, debug: testLog.info };
  const agent = await runAgent(
    { dataFolder: join(folder, "agent"), joinToken, diskBytes: 50 * GIB, ...options },
    { driver, machine: MACHINE, log },
  );
  for (const name of ["one", "two"]) {
    const params = { host: "relayed", name };
    const size = { cpuMilli: 1000, memoryBytes: 2 * GIB, diskBytes: 2 * GIB };
    const body = { lendable: true, cpuMode: "dedicated", size } as const;
    await lender.call("setPartition", { params, body });
    // Cheaper than any other offer of the test: these are booked first.
    await lender.call("setOffer", { params, body: offerOf({ priceMicrosPerCoreHour: "1" }) });
  }
  return { agent, driver };
}

export async function readyLease(client: Client, seconds = 3600): Promise<LeaseId> {
  const leaseId = newId("lease");
  const body = bookingOf({ durationSeconds: seconds });
  await client.call("bookLease", { params: { leaseId }, body });
  await vi.waitFor(
    async () => {
      const { lease } = await client.call("showLease", { params: { leaseId } });
      expect(lease.state).toBe("ready");
    },
    { timeout: 20_000, interval: 50 },
  );
  return leaseId;
}

/** A client's end of a tunnel, as `sublet ssh-proxy` has it, with its input and output in hand. */
export function openTunnel(client: Client, leaseId: LeaseId) {
  const input = new PassThrough();
  const hash = createHash("sha256");
  const chunks: Buffer[] = [];
  let bytes = 0;
  const writable = new Writable({
    write(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      bytes += chunk.length;
      if (bytes < 2 ** 20) chunks.push(chunk);
      done();
    },
  });
  const over = throughRelay({ client, leaseId, readable: input, writable }).then(
    () => "done",
    (error: { code: string }) => error.code,
  );
  return {
    input,
    over,
    text: () => Buffer.concat(chunks).toString("utf8"),
    taken: () => bytes,
    sha256: () => hash.digest("hex"),
  };
}

/** Sends so many random bytes as fast as they are taken; gives their hash. */
export async function pour(into: Writable, bytes: number): Promise<string> {
  const hash = createHash("sha256");
  const piece = randomBytes(1024 * 1024);
  for (let sent = 0; sent < bytes; sent += piece.length) {
    piece.writeUInt32BE(sent / piece.length);
    const copy = Buffer.from(piece);
    hash.update(copy);
    if (!into.write(copy)) await once(into, "drain");
  }
  into.end();
  return hash.digest("hex");
}
