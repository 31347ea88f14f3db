import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { isDatabaseFull } from "../../src/agent/state/room.ts";
import { createQemuDriver } from "../../src/partition/qemu/driver.ts";
import type { LeaseId } from "../../src/unit/id.ts";
import { addTestImage } from "../server/fake-host.ts";
import { disorderIn } from "../setup/order.ts";
import { makeSmallDisk, mayMount, type SmallDisk } from "../setup/small-disk.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";
import { type FaultMarket, openFaultMarket } from "./market.ts";

const SECOND_NS = 1_000_000_000n;
const MIB = 2 ** 20;

describe.skipIf(!mayMount)("the host's disk", () => {
  let disk: SmallDisk;
  let market: FaultMarket;
  beforeEach(async () => {
    disk = makeSmallDisk("disk-full", 24);
    market = await openFaultMarket({ dataFolder: disk.path });
  });
  afterEach(async () => {
    market.agent.db.close();
    await market.server.stop();
    disk.remove();
  });

  const reasonsOf = async (leaseId: LeaseId, kind: string) =>
    (await market.show(leaseId)).events
      .filter((event) => event.kind === kind)
      .map(({ reason }) => reason);

  /** Not delivered, with its reason, nothing charged, nothing held, nothing left. */
  const expectCredit = async (leaseId: LeaseId, reason: string) => {
    const { lease } = await market.show(leaseId);
    expect(lease).toMatchObject({ state: "ended", outcome: "not-delivered" });
    expect(await reasonsOf(leaseId, "failed")).toEqual([reason]);
    expect((await market.bill(leaseId)).totalMicros).toBe("0");
    expect((await market.client.call("showAccount")).holdsMicros).toBe("0");
    expect(market.driver.guests.has(leaseId)).toBe(false);
    expect(await disorderIn(market.server.database.pool, "at-rest")).toEqual([]);
  };

  const expectNextLeaseWorks = async () => {
    disk.free();
    const leaseId = await market.book(600);
    await market.rounds(2, 10);
    expect((await market.show(leaseId)).lease.state).toBe("ready");
  };

  test("full while a lease runs keeps it neither from its records nor from its end", async () => {
    const { book, rounds, show, bill, driver } = market;
    const leaseId = await book(600);
    await rounds(3, 20);
    disk.fill();
    await rounds(20, 20);
    expect(driver.guests.get(leaseId)?.observation.state).toBe("running");
    await rounds(10, 20);
    expect(driver.guests.has(leaseId)).toBe(false);
    expect((await show(leaseId)).lease).toMatchObject({ state: "ended", outcome: "completed" });
    const deliveredNs = BigInt((await bill(leaseId)).deliveredNs);
    expect(deliveredNs).toBeGreaterThan(560n * SECOND_NS);
    expect(deliveredNs).toBeLessThanOrEqual(600n * SECOND_NS);
    await expectNextLeaseWorks();
  });

  test("full beyond what the agent keeps free loses no acknowledged record, and it goes on when there is room", async () => {
    const { book, rounds, show, bill, agent, server } = market;
    const leaseId = await book(3600);
    await rounds(8, 20);
    const { rows: before } = await server.database.pool.query("select hash from usage_record");
    expect(before.length).toBeGreaterThan(0);
    disk.fill();
    agent.db.exec("CREATE TABLE used_up (filler BLOB)");
    const useUp = () => {
      for (;;) agent.db.exec("INSERT INTO used_up VALUES (zeroblob(3000))");
    };
    expect(useUp).toThrow(/full/);
    // Passes fail as a whole meanwhile; the loops that run them try again.
    for (let i = 0; i < 3; i++) {
      const failed = await rounds(1, 20).catch((error: unknown) => error);
      expect(failed).toSatisfy(isDatabaseFull);
    }
    expect(market.driver.guests.get(leaseId)?.observation.state).toBe("running");
    disk.free();
    agent.db.exec("DROP TABLE used_up");
    await rounds(6, 20);
    expect((await show(leaseId)).lease.state).toBe("ready");
    await market.end(leaseId);
    await rounds(3, 5);
    expect((await show(leaseId)).lease).toMatchObject({ state: "ended", outcome: "ended-early" });
    expect(BigInt((await bill(leaseId)).deliveredNs)).toBeGreaterThan(150n * SECOND_NS);
    const { rows: after } = await server.database.pool.query("select hash from usage_record");
    expect(after).toEqual(expect.arrayContaining(before));
    expect(await disorderIn(server.database.pool, "at-rest")).toEqual([]);
  });

  test("filled by others while an image is fetched ends the lease by name, and the next one works", async () => {
    const { book, rounds, agent, server } = market;
    await addTestImage(server, { version: "2", initramfs: Buffer.alloc(6 * MIB, 7) });
    const { fetch } = agent.server.client;
    const filling: typeof fetch = async (...input) => {
      const answer = await fetch(...input);
      // The answer's head is here, and its body comes to a disk that has half of the space.
      disk.fill(3 * MIB);
      return answer;
    };
    Object.assign(agent.server.client, { fetch: filling });
    const leaseId = await book(600);
    await rounds(8, 20);
    await expectCredit(leaseId, "disk-full");
    expect(
      readdirSync(join(disk.path, "images")).filter((name) => name.endsWith("partial")),
    ).toEqual([]);
    Object.assign(agent.server.client, { fetch });
    await expectNextLeaseWorks();
  });

  test("full when a guest is to be prepared ends the lease by name, and the next one works", async () => {
    const { book, rounds, driver } = market;
    driver.failNext("prepare", "disk-full", 4);
    const leaseId = await book(600);
    await rounds(8, 20);
    await expectCredit(leaseId, "disk-full");
    await expectNextLeaseWorks();
  });
});

test.skipIf(!mayMount)(
  "a guest whose disk cannot be made is refused as disk-full, leaves nothing when it is wiped, and is made when there is room",
  async () => {
    const disk = makeSmallDisk("guest-disk", 12);
    const other = makeTempFolder("images").path;
    for (const name of ["kernel", "initramfs"])
      writeFileSync(join(other, name), Buffer.alloc(2 * MIB));
    const folder = join(disk.path, "guests");
    mkdirSync(folder);
    const driver = createQemuDriver({ folder, log: () => undefined });
    const size = { cpuMilli: 1000, memoryBytes: 64 * MIB, diskBytes: 4 * 1024 * MIB };
    const spec = {
      ...{ guestId: "lease_full", hostname: "full", size, maxSize: size },
      ...{ cpuMode: "dedicated" as const, cores: [0], uid: 1_900_000_000 },
      image: {
        kernelPath: join(other, "kernel"),
        initramfsPath: join(other, "initramfs"),
        kernelArguments: "",
      },
      access: {
        ...{ address: "127.0.0.1", port: 0, user: "root" },
        ...{ authorizedKey: "ssh-ed25519 AAAA a", hostKeyPrivate: "none" },
      },
    };
    // Enough for nothing; for the kernel alone; for the image and not for the disk's file system.
    for (const leaveBytes of [0, 3 * MIB, 4 * MIB + 64 * 1024]) {
      disk.fill(leaveBytes);
      await expect(driver.prepare(spec), `${leaveBytes} free`).rejects.toMatchObject({
        code: "disk-full",
      });
      await driver.wipe(spec.guestId);
      expect(await driver.list()).toEqual([]);
      disk.free();
    }
    await driver.prepare(spec);
    expect(await driver.list()).toEqual([spec.guestId]);
    await driver.wipe(spec.guestId);
    expect(readdirSync(folder)).toEqual([]);
    disk.remove();
  },
);
