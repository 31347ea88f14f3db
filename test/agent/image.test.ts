import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ensureImage } from "../../src/agent/image/cache.ts";
import { downloadPart } from "../../src/agent/image/download.ts";
import { UnreachableError } from "../../src/api/client/error.ts";
import type { Grant } from "../../src/enablement/grant.ts";
import { newId } from "../../src/unit/id.ts";
import { digestOf, imageManifest, imageOf } from "./fake-image.ts";
import { createRig, desireLease, leaseOf } from "./harness.ts";

const [kernel] = imageManifest.parts;
const fileName = kernel?.digest.replace(":", "-") ?? "";

test("an image is fetched once and found again by the next lease", async () => {
  const { server, ...rig } = createRig();
  const agent = await rig.start();
  desireLease(server);
  await rig.rounds(agent, 5, 10_000);
  const fetched = server.files.requests.length;
  expect(fetched).toBe(2);
  const next = desireLease(server);
  await rig.rounds(agent, 1, 1_000);
  expect(server.reportsOf("ready", next.leaseId)).toHaveLength(1);
  expect(server.files.requests.length).toBe(fetched);
});

test("a cached file that was altered is fetched anew before it boots", async () => {
  const { server, folder, ...rig } = createRig();
  const agent = await rig.start();
  desireLease(server);
  await rig.rounds(agent, 5, 10_000);
  const path = join(folder, "images", fileName);
  writeFileSync(path, "something else");
  const next = desireLease(server);
  await rig.rounds(agent, 1, 1_000);
  expect(digestOf(readFileSync(path))).toBe(kernel?.digest);
  expect(server.reportsOf("ready", next.leaseId)).toHaveLength(1);
});

test("an image that is served wrong fails the lease by name, after a few tries", async () => {
  for (const bytes of [Buffer.alloc(kernel?.sizeBytes ?? 0), Buffer.alloc(1_000_000)]) {
    const { server, driver, folder, ...rig } = createRig();
    const agent = await rig.start();
    server.files.serveInstead(bytes);
    desireLease(server, server.grantOf({ seconds: 600 }));
    await rig.rounds(agent, 8, 40_000 / 8);
    expect(server.reportsOf("failed")).toMatchObject([{ reason: "image-digest-wrong" }]);
    expect(server.files.requests.length).toBe(4);
    expect(driver.guests.size).toBe(0);
    expect(readdirSync(join(folder, "images"))).not.toContain(fileName);
  }
});

test("an interrupted download goes on where it stopped", async () => {
  const { server, folder, ...rig } = createRig();
  const agent = await rig.start();
  const grant = desireLease(server);
  server.desire({ leases: [] });
  await rig.round(agent);
  const half = (kernel?.sizeBytes ?? 0) / 2;
  const { answer } = server.files;
  mkdirSync(join(folder, "images"), { recursive: true });
  const whole = Buffer.from(await answer(`/images/${kernel?.digest}`).arrayBuffer());
  writeFileSync(join(folder, "images", `${fileName}.partial`), whole.subarray(0, half));
  server.desire({ leases: [leaseOf(server, grant)] });
  await rig.round(agent);
  expect(server.files.requests).toContain(`/images/${kernel?.digest} from ${half}`);
  expect(server.reportsOf("ready")).toHaveLength(1);
});

test("a file server that is away is waited for until the lease ends", async () => {
  const { server, driver, ...rig } = createRig();
  const agent = await rig.start();
  const fetch = server.client.fetch;
  Object.assign(server.client, {
    fetch: () => Promise.reject(new UnreachableError("http://server.test", new Error("away"))),
  });
  desireLease(server, server.grantOf({ seconds: 600 }));
  await rig.rounds(agent, 8, 31_000);
  expect(server.reportsOf("failed")).toEqual([]);
  Object.assign(server.client, { fetch });
  await rig.rounds(agent, 1, 31_000);
  expect(driver.guests.size).toBe(1);
});

const KIB = 1024;
const disk = (letter: string) => letter.repeat(40 * KIB);
const fileOf = ({ manifest }: Grant["image"]) =>
  (manifest.parts[0]?.digest ?? "").replace(":", "-");

test("what no lease uses is evicted when the cache is full, the longest unused first", async () => {
  const { server, folder, ...rig } = createRig({ imageCacheBytes: 100 * KIB });
  const agent = await rig.start();
  const [a, b, c] = ["a", "b", "c"].map((letter) => server.files.addDisk(disk(letter)));
  if (!a || !b || !c) throw new Error("three");
  for (const image of [a, b, a, c]) {
    rig.clock.pass(1_000);
    await ensureImage(agent, image.manifest);
  }
  expect(server.files.requests).toHaveLength(3);
  expect(readdirSync(join(folder, "images")).sort()).toEqual([fileOf(a), fileOf(c)].sort());
});

test("an image in use is never evicted; one that does not fit beside it fails by name", async () => {
  const { server, folder, ...rig } = createRig({ imageCacheBytes: 60 * KIB });
  const agent = await rig.start();
  const used = server.files.addDisk(disk("u"));
  const first = desireLease(server, { ...server.grantOf({ seconds: 6000 }), image: used });
  await rig.rounds(agent, 2, 1_000);
  const other = { partitionId: newId("partition"), name: "p2" };
  const granted = server.grantOf({ seconds: 6000, image: server.files.addDisk(disk("v")) });
  const second = { ...granted, partition: { ...granted.partition, ...other } };
  server.desire({
    partitions: [server.partition(), server.partition(other)],
    leases: [leaseOf(server, first), leaseOf(server, second)],
  });
  await rig.rounds(agent, 8, 5_000);
  expect(server.reportsOf("failed")).toMatchObject([
    { leaseId: second.leaseId, reason: "image-cache-full" },
  ]);
  expect(existsSync(join(folder, "images", fileOf(used)))).toBe(true);
});

test("an image larger than the cache is refused by name, before any of it is fetched", async () => {
  const { server, ...rig } = createRig({ imageCacheBytes: 30 * KIB });
  const agent = await rig.start();
  desireLease(server, { ...server.grantOf(), image: server.files.addDisk(disk("x")) });
  await rig.round(agent);
  expect(server.reportsOf("failed")).toMatchObject([{ reason: "image-too-big" }]);
  expect(server.files.requests).toEqual([]);
});

test("an image larger than the host's disk is refused as disk-full", async () => {
  const { server, ...rig } = createRig({ imageCacheBytes: 2 ** 52 });
  const agent = await rig.start();
  const { manifest } = server.files.addDisk(disk("y"));
  const parts = manifest.parts.map((part) => ({ ...part, sizeBytes: 2 ** 50 }));
  const image = imageOf({ ...manifest, parts });
  desireLease(server, { ...server.grantOf({ seconds: 600 }), image });
  await rig.rounds(agent, 8, 5_000);
  expect(server.reportsOf("failed")).toMatchObject([{ reason: "disk-full" }]);
  expect(server.files.requests).toEqual([]);
});

test("a disk that becomes full while an image is fetched is named, and given back its room", async () => {
  const { server, folder, ...rig } = createRig();
  const agent = await rig.start();
  const [part] = server.files.addDisk(disk("z")).manifest.parts;
  if (part === undefined) throw new Error("a part");
  const path = join(folder, "images", "z");
  mkdirSync(join(folder, "images"), { recursive: true });
  // Every write to it says that there is no space left.
  symlinkSync("/dev/full", `${path}.partial`);
  await expect(downloadPart(agent, part, path)).rejects.toMatchObject({ code: "disk-full" });
  expect(readdirSync(join(folder, "images"))).toEqual([]);
  await downloadPart(agent, part, path);
  expect(statSync(path).mode & 0o777).toBe(0o444);
});

test("a disk image reaches the driver with its format and its seed", async () => {
  const { server, driver, folder, ...rig } = createRig();
  const agent = await rig.start();
  const image = server.files.addDisk(disk("d"));
  const { leaseId } = desireLease(server, { ...server.grantOf(), image });
  await rig.round(agent);
  expect(driver.guests.get(leaseId)?.spec.image).toEqual({
    seed: "nocloud",
    rootDisk: { path: join(folder, "images", fileOf(image)), format: "raw" },
  });
});

test("an image whose disk is larger than the partition's is refused before it is fetched", async () => {
  const { server, ...rig } = createRig();
  const agent = await rig.start();
  const { manifest } = server.files.addDisk(disk("e"));
  const image = imageOf({ ...manifest, diskBytesMin: server.size.diskBytes + 1 });
  desireLease(server, { ...server.grantOf(), image });
  await rig.round(agent);
  expect(server.reportsOf("failed")).toMatchObject([{ reason: "image-too-big" }]);
  expect(server.files.requests).toEqual([]);
});
