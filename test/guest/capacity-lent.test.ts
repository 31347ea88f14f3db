import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, expect, test } from "vitest";
import { capacityOnce } from "../../src/agent/capacity/once.ts";
import { listServices } from "../../src/agent/capacity/service-store.ts";
import { copyImage } from "../../src/agent/image/copy.ts";
import { imageManifestSchema } from "../../src/image/manifest.ts";
import { createQemuDriver } from "../../src/partition/qemu/driver.ts";
import type { Access } from "../../src/partition/signed.ts";
import { claimedPayload } from "../../src/signature/envelope.ts";
import { buildSmallLinux } from "../../tools/small-linux/build.ts";
import { createProvider, kindsOf, meteredOf } from "../agent/capacity.ts";
import { imageOf } from "../agent/fake-image.ts";
import { createRig, desireLease } from "../agent/harness.ts";
import { core, grantWith, lent } from "../agent/lent.ts";
import { hireJanitor } from "./janitor.ts";
import { ROOT } from "./small-linux.ts";
import { newKey } from "./ssh.ts";

const MIB = 1024 ** 2;

/** An agent with real guests, and a server in memory; of the host's two cores one is in standby. */
const rig = createRig({ cores: "0-1", standbyCores: "1", reserve: { cpuMilli: 0 } });
const janitor = hireJanitor(rig.folder);
const driver = createQemuDriver({ folder: join(rig.folder, "guests"), log: () => undefined });
afterAll(async () => {
  for (const guestId of await driver.list()) {
    await driver.stop(guestId, 0);
    await driver.wipe(guestId);
  }
  janitor.dismiss();
});

test("a lease's guest counts the core that was lent to it from its boot on, and the core is free behind it", async () => {
  const image = await buildSmallLinux({
    outputFolder: join(ROOT, ".cache/small-linux"),
    cacheFolder: join(ROOT, ".cache/packages"),
    log: () => undefined,
  });
  const given = image.manifest.parts.map(({ role, digest, sizeBytes }) => ({
    ...{ role, digest, sizeBytes },
  }));
  const manifest = imageManifestSchema.parse({ ...image.manifest, parts: given });
  const key = await newKey(join(rig.folder, "id"));
  const provider = createProvider();
  rig.server.state.provider = provider;
  const agent = await rig.start({ driver });
  provider.pin(agent);
  const parts = manifest.parts.map(({ role }) => join(image.folder, role));
  await copyImage(agent, manifest, parts);
  const { codeId } = await lent({ provider, agent }, 600);
  const size = { memoryBytes: 256 * MIB, diskBytes: 64 * MIB, seconds: 600 };
  const grant = desireLease(rig.server, {
    ...grantWith(rig.server, [core(codeId)], size),
    image: imageOf(manifest),
    clientKey: readFileSync(`${key}.pub`, "utf8").trim(),
  });
  const { leaseId } = grant;
  const until = async (kind: "ready" | "wiped") => {
    for (;;) {
      await rig.rounds(agent, 1, 100);
      await capacityOnce(agent);
      expect(rig.server.reportsOf("failed", leaseId)).toEqual([]);
      const [report] = rig.server.reportsOf(kind, leaseId);
      if (report !== undefined) return report;
      await sleep(200);
    }
  };
  const ready = await until("ready");
  expect(listServices(agent.db)).toMatchObject([{ state: "in-service", cores: [1] }]);
  const access = claimedPayload(ready.kind === "ready" ? ready.accessJws : "") as Access;
  const options = ["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no"];
  const known = ["-o", `UserKnownHostsFile=${join(rig.folder, "known_hosts")}`, "-i", key];
  const to = ["-p", `${access.port}`, `${access.user}@${access.address}`];
  const { stdout } = await promisify(execFile)("ssh", [...options, ...known, ...to, "nproc"]);
  expect(stdout.trim()).toBe("2");
  expect(kindsOf(agent)).toContain("service-begun");

  rig.clock.pass(600_000);
  await until("wiped");
  expect(listServices(agent.db)).toEqual([]);
  expect(meteredOf(agent)).toBeGreaterThan(0n);
  expect(kindsOf(agent).at(-1)).toBe("time-to-bill lease-end");
}, 300_000);
