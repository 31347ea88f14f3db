import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
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
