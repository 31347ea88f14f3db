import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { UnreachableError } from "../../src/api/client/error.ts";
import type { Grant } from "../../src/enablement/grant.ts";
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
