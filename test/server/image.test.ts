import { createHash } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { SentBody } from "../../src/api/contract/contract.ts";
import { qcow2Head } from "../../src/image/disk-header.sample.ts";
import { bookingOf, type Market, openMarket } from "./fake-host.ts";
import { codeOf, startTestServer, type TestServer } from "./harness.ts";

let server: TestServer;
let market: Market;
beforeAll(async () => {
  server = await startTestServer();
  market = await openMarket(server);
});
afterAll(() => server.stop());

type Manifest = SentBody<"addImage">["manifest"];

async function send(content: Buffer) {
  const digest = `sha256:${createHash("sha256").update(content).digest("hex")}`;
  await server.operator.fetch(`/v1/operator/blobs/${digest}`, {
    method: "PUT",
    body: new Uint8Array(content),
    headers: { "content-type": "application/octet-stream" },
  });
  return { role: "disk" as const, digest, sizeBytes: content.length };
}

async function manifestOf(content: Buffer, change: Partial<Manifest> = {}): Promise<Manifest> {
  return {
    ...{ name: "debian-12", version: "1", architecture: "x86_64", user: "debian" },
    ...{ boot: { kind: "disk" }, seed: "nocloud", rootDiskFormat: "qcow2" },
    ...{ memoryBytesMin: 2 ** 28, parts: [await send(content)], ...change },
  } as Manifest;
}

const add = async (content: Buffer, change?: Partial<Manifest>) =>
  server.operator.call("addImage", { body: { manifest: await manifestOf(content, change) } });

test("a disk with a boot loader is taken, and what it needs of disk is read from it", async () => {
  const added = await add(qcow2Head({ virtualBytes: 3 * 2 ** 30 }));
  expect(added.manifest.diskBytesMin).toBe(3 * 2 ** 30);
  const again = await add(qcow2Head({ virtualBytes: 3 * 2 ** 30 }), { diskBytesMin: 1 });
  expect(again.imageId).toBe(added.imageId);
  const search = async (diskBytes: number) => {
    const size = { cpuMilli: 1000, memoryBytes: 2 ** 30, diskBytes };
    const body = bookingOf({ os: "debian-12", size }).requirement;
    return JSON.stringify(await market.client.call("search", { body }));
  };
  expect(await search(2 ** 30)).toContain('"os-disk"');
  expect(await search(3 * 2 ** 30)).not.toContain('"os-disk"');
});

test("a disk that refers to other files is refused by name and is no image", async () => {
  const shadow = qcow2Head({ backingAt: 512, backingLength: 11 });
  expect(await codeOf(add(shadow, { version: "2" }))).toBe("disk-references-files");
  const data = qcow2Head({ features: 4n });
  expect(await codeOf(add(data, { version: "2" }))).toBe("disk-references-files");
  expect(await codeOf(add(Buffer.alloc(512), { version: "2" }))).toBe("disk-unreadable");
  const { images } = await server.operator.call("listImages");
  expect(images.map(({ manifest }) => manifest.version)).not.toContain("2");
});

test("an image whose parts do not go together is refused by name", async () => {
  const wrong = { version: "3", boot: { kind: "kernel", kernelArguments: "" } } as const;
  expect(await codeOf(add(qcow2Head(), wrong))).toBe("image-part-wrong");
});
