import { createHash } from "node:crypto";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createClient } from "../../src/api/client/client.ts";
import { createDaemon } from "../guest/daemon.ts";
import { codeOf } from "../server/harness.ts";
import { makeSmallDisk, mayMount } from "../setup/small-disk.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";

const MIB = 2 ** 20;

test.skipIf(!mayMount)(
  "a server whose disk is full refuses by name what it cannot keep, and goes on when there is room",
  async () => {
    const disk = makeSmallDisk("server-disk", 200);
    const logs = makeTempFolder("server-log");
    const argv = ["server", "--data", disk.path, "--listen", "127.0.0.1:0"];
    const server = createDaemon(argv, join(logs.path, "server.log"));
    try {
      const { url, operatorKey } = await server.start<{ url: string; operatorKey: string }>();
      const operator = createClient({ url, authorization: () => operatorKey });
      const put = async () => {
        const content = Buffer.alloc(8 * MIB, 7);
        const digest = `sha256:${createHash("sha256").update(content).digest("hex")}`;
        const headers = { "content-type": "application/octet-stream" };
        await operator.fetch(`/v1/operator/blobs/${digest}`, {
          method: "PUT",
          body: content,
          headers,
        });
      };
      const add = (name: string) =>
        codeOf(operator.call("addParty", { body: { name, roles: ["client"] } }));
      expect(await add("before")).toBe("done");
      disk.fill();
      expect(await codeOf(put())).toBe("storage-full");
      // Rows fill the pages that there are, and then there is none: until then nothing is lost.
      const kept = ["before"];
      let refused = "done";
      for (let i = 0; i < 400 && refused === "done"; i++) {
        refused = await add(`party-${i}`);
        if (refused === "done") kept.push(`party-${i}`);
      }
      expect(refused).toBe("storage-full");
      disk.free();
      await expect.poll(() => add("after"), { timeout: 30_000 }).toBe("done");
      await put();
      const { parties } = await operator.call("listParties");
      const names = parties.map(({ name }) => name);
      expect(names).toEqual(expect.arrayContaining([...kept, "after"]));
    } finally {
      await server.stop();
      disk.remove();
      logs.remove();
    }
  },
);
