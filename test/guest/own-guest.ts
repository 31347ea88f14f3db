import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import type { GuestSpec, PartitionDriver } from "../../src/partition/driver.ts";
import { createQemuDriver } from "../../src/partition/qemu/driver.ts";
import { buildSmallLinux } from "../../tools/small-linux/build.ts";
import { ROOT } from "./small-linux.ts";

const execute = promisify(execFile);
export const MIB = 1024 * 1024;

export interface OwnHost {
  /** Where guests' files lie; a folder made for it when left out. */
  readonly guestsFolder?: string;
  readonly qemuBinary?: string;
}

/** A driver of its own with guests of the small Linux, for tests that go below the agent. */
export interface OwnGuests {
  readonly folder: string;
  readonly driver: PartitionDriver;
  readonly logged: readonly string[];
  spec(change: Partial<GuestSpec> & Pick<GuestSpec, "guestId">): GuestSpec;
  untilAnswers(guestId: string): Promise<void>;
  ssh(guestId: string, command: string): Promise<string>;
  /** Stops and wipes all of them. */
  clear(): Promise<void>;
}

export async function ownGuests(host: OwnHost = {}): Promise<OwnGuests> {
  const cache = join(ROOT, ".cache");
  const image = await buildSmallLinux({
    outputFolder: join(cache, "small-linux"),
    cacheFolder: join(cache, "packages"),
    log: () => undefined,
  });
  const folder = await mkdtemp(join(tmpdir(), "sublet-guests-"));
  for (const name of ["client", "host"]) {
    const kind = ["-q", "-t", "ed25519", "-N", "", "-C", ""];
    await execute("ssh-keygen", [...kind, "-f", join(folder, name)]);
  }
  const hostKey = readFileSync(join(folder, "host.pub"), "utf8");
  await writeFile(join(folder, "known_hosts"), `the-guest ${hostKey}`);
  const logged: string[] = [];
  const log = (line: string) => logged.push(line);
  const { guestsFolder = join(folder, "guests"), ...binary } = host;
  const driver = createQemuDriver({ folder: guestsFolder, log, ...binary });
  const until = async (guestId: string, look: () => Promise<boolean>) => {
    for (const end = performance.now() + 150_000; performance.now() < end; await sleep(500)) {
      if (await look()) return;
    }
    const said = (await driver.console(guestId)).slice(-2000);
    throw new Error(`it did not come about; ${logged.join("; ")}; the console: ${said}`);
  };
  return {
    ...{ folder, driver, logged },
    spec: (change) => ({
      hostname: "own",
      size: { cpuMilli: 1000, memoryBytes: 256 * MIB, diskBytes: 0 },
      maxSize: change.size ?? { cpuMilli: 1000, memoryBytes: 256 * MIB, diskBytes: 0 },
      ...{ cpuMode: "dedicated", cores: [0], uid: 64_102 },
      image: {
        kernelPath: join(image.folder, "kernel"),
        initramfsPath: join(image.folder, "initramfs"),
        kernelArguments: image.manifest.boot.kernelArguments,
      },
      access: {
        ...{ address: "127.0.0.1", port: 0, user: "root" },
        authorizedKey: readFileSync(join(folder, "client.pub"), "utf8").trim(),
        hostKeyPrivate: readFileSync(join(folder, "host"), "utf8"),
      },
      ...change,
    }),
    untilAnswers: (guestId) => until(guestId, () => driver.answers(guestId, 2000)),
    ssh: async (guestId, command) => {
      const { port } = await driver.observe(guestId);
      const known = `UserKnownHostsFile=${join(folder, "known_hosts")}`;
      const args = [
        ...["-F", "none", "-i", join(folder, "client"), "-p", `${port}`],
        ...["-o", "IdentitiesOnly=yes", "-o", known, "-o", "HostKeyAlias=the-guest"],
        ...["-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", "-o", "ConnectTimeout=30"],
        ...["root@127.0.0.1", command],
      ];
      for (let attempt = 1; ; attempt++) {
        try {
          return (await execute("ssh", args)).stdout;
        } catch (error) {
          // A guest with little cpu is still at the greetings before, and lets no more in.
          if (attempt === 5 || !/kex_exchange_identification/.test(String(error))) throw error;
          await sleep(1000);
        }
      }
    },
    clear: async () => {
      for (const guestId of await driver.list()) {
        await driver.stop(guestId, 0);
        await driver.wipe(guestId);
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}
