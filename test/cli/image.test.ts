import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { qcow2Head } from "../../src/image/disk-header.sample.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";
import { type FakeServer, startFakeServer } from "./fake-server.ts";
import { runCli } from "./run-cli.ts";
import { id } from "./shapes.ts";

const folder = makeTempFolder("cli-image");
const parts = ["kernel", "initramfs"].map((role) => {
  const data = `the ${role}`.repeat(1000);
  const digest = `sha256:${createHash("sha256").update(data).digest("hex")}`;
  return { role, file: role, data, digest, sizeBytes: data.length };
});
const manifest = {
  name: "small-linux",
  version: "6.1-1",
  architecture: "x86_64",
  boot: { kind: "kernel", kernelArguments: "" },
  user: "root",
  memoryBytesMin: 1024,
};
let server: FakeServer;
let onServer: Map<string, string>;

beforeAll(async () => {
  server = await startFakeServer();
  server.routes = {
    "HEAD /images/*": (_, [digest = ""]) => ({
      status: onServer.has(digest) ? 200 : 404,
      json: {},
    }),
    "PUT /v1/operator/blobs/*": ({ body }, [digest = ""]) => {
      onServer.set(digest, body);
      return { json: {} };
    },
    "POST /v1/operator/images": ({ body }) => ({
      json: {
        imageId: id("image"),
        digest: "sha256:0",
        manifest: JSON.parse(body).manifest,
        createdAt: "2027-01-31T08:00:00Z",
      },
    }),
  };
});
afterAll(async () => {
  await server.stop();
  folder.remove();
});
beforeEach(() => {
  onServer = new Map();
  server.requests.length = 0;
  for (const { file, data } of parts) writeFileSync(join(folder.path, file), data);
  const written = { ...manifest, parts: parts.map(({ data, ...part }) => part) };
  writeFileSync(join(folder.path, "image.json"), JSON.stringify(written));
});

const add = () =>
  runCli(["image", "add", folder.path, "--json"], folder.path, {
    server: server.url,
    key: "right",
  });

test("image add sends every part, and then the manifest without file names", async () => {
  const ran = await add();
  expect(ran.exitCode).toBe(0);
  expect([...onServer.values()]).toEqual(parts.map(({ data }) => data));
  expect(JSON.parse(ran.stdout).manifest.parts).toEqual(
    parts.map(({ role, digest, sizeBytes }) => ({ role, digest, sizeBytes })),
  );
});

test("image add sends nothing that is there already", async () => {
  await add();
  const ran = await add();
  expect(ran.stderr).toContain("kernel: on the file server already");
  expect(server.requests.filter(({ method }) => method === "PUT")).toHaveLength(2);
});

test("a part that is not what the manifest says is refused before anything is sent", async () => {
  writeFileSync(join(folder.path, "initramfs"), "altered");
  const ran = await add();
  expect(ran.exitCode).toBe(1);
  expect(JSON.parse(ran.stdout)).toMatchObject({ error: { code: "image-part-differs" } });
  expect(server.requests).toEqual([]);
});

test.each([
  ["{", "image-unreadable"],
  [JSON.stringify({ ...manifest, parts: [] }), "image-unreadable"],
  [
    JSON.stringify({ ...manifest, parts: [{ ...parts[0], data: undefined, file: "../x" }] }),
    "image-unreadable",
  ],
  [
    JSON.stringify({ ...manifest, parts: [{ ...parts[0], data: undefined, file: "y" }] }),
    "image-part-missing",
  ],
])("an image.json of %j is refused as %s", async (text, code) => {
  writeFileSync(join(folder.path, "image.json"), text);
  expect(JSON.parse((await add()).stdout)).toMatchObject({ error: { code } });
});

const about = [
  ...["--name", "debian-12", "--version", "20260101", "--arch", "x86_64"],
  ...["--min-memory", "512MiB", "--user", "debian"],
];
const addFiles = (...given: string[]) =>
  runCli(["image", "add", ...given, ...about, "--json"], folder.path, {
    server: server.url,
    key: "right",
  });
const write = (name: string, bytes: Buffer) => {
  writeFileSync(join(folder.path, name), bytes);
  return join(folder.path, name);
};
const bootable = () => {
  const bytes = Buffer.alloc(4096);
  bytes.writeUInt16LE(0xaa55, 510);
  return bytes;
};

test("image add takes a disk as vendors publish it, set up by cloud-init", async () => {
  for (const [format, bytes] of [
    ["qcow2", qcow2Head()],
    ["raw", bootable()],
  ] as const) {
    const ran = await addFiles("--disk", write("vendor.img", bytes));
    expect(ran.exitCode).toBe(0);
    expect(JSON.parse(ran.stdout).manifest).toMatchObject({
      ...{ name: "debian-12", version: "20260101", architecture: "x86_64", user: "debian" },
      ...{ boot: { kind: "disk" }, seed: "nocloud", rootDiskFormat: format },
      ...{ memoryBytesMin: 512 * 2 ** 20, parts: [{ role: "disk", sizeBytes: bytes.length }] },
    });
  }
  expect(onServer.size).toBe(2);
});

test("image add takes kernel, initramfs and root disk", async () => {
  const [kernel, initramfs] = ["kernel", "initramfs"].map((name) => join(folder.path, name));
  const files = ["--kernel", kernel ?? "", "--initramfs", initramfs ?? ""];
  const ran = await addFiles(...files, "--root-disk", write("root.raw", Buffer.alloc(4096)));
  expect(JSON.parse(ran.stdout).manifest).toMatchObject({
    boot: { kind: "kernel", kernelArguments: "root=/dev/vda ro" },
    rootDiskFormat: "raw",
    parts: [{ role: "kernel" }, { role: "initramfs" }, { role: "disk" }],
  });
});

test.each([
  ["that refers to another file", qcow2Head({ backingAt: 512 }), "disk-references-files"],
  ["without a boot loader", Buffer.alloc(4096), "disk-unreadable"],
  ["that is compressed", Buffer.from("\xfd7zXZ\0 and so on", "latin1"), "disk-unreadable"],
  ["of another program", Buffer.from("KDMV and so on"), "disk-unreadable"],
])("a disk %s is refused before anything is sent", async (_, bytes, code) => {
  const ran = await addFiles("--disk", write("vendor.img", bytes));
  expect(ran.exitCode).toBe(1);
  expect(JSON.parse(ran.stdout)).toMatchObject({ error: { code } });
  expect(server.requests).toEqual([]);
});

test.each([
  ["neither folder nor files", []],
  ["a disk with a kernel", ["--disk", "d", "--kernel", "k"]],
  ["a kernel without initramfs", ["--kernel", "k"]],
])("image add of %s is wrong usage", async (_, given) => {
  expect((await addFiles(...given)).exitCode).toBe(2);
  expect(server.requests).toEqual([]);
});
