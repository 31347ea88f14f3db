import { existsSync, readFileSync, statfsSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { defaultBinary } from "../../src/partition/qemu/probe.ts";
import { makeSmallDisk, mayMount, type SmallDisk } from "../setup/small-disk.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";
import { MIB, type OwnGuests, ownGuests } from "./own-guest.ts";
import { until } from "./processes.ts";

/** One guest on a host whose disk is small, and where somebody is quicker to take its port. */

const GUEST = "lease_full";
const folder = makeTempFolder("full-host");
const chosenPath = join(folder.path, "chosen");
const takenPath = join(folder.path, "taken");
const other: Server = createServer();
let otherPort = 0;
let disk: SmallDisk;
let guests: OwnGuests;

/** In front of QEMU: tells the port that was chosen, once, and starts QEMU when another has it. */
const QUICKER = `#!/bin/sh
port=$(printf '%s\\n' "$@" | sed -n 's/.*hostfwd=tcp:127.0.0.1:\\([0-9]*\\)-:22$/\\1/p')
if [ -n "$port" ] && [ ! -e '${takenPath}' ]; then
  echo "$port" > '${chosenPath}'
  while [ ! -e '${takenPath}' ]; do sleep 0.05; done
fi
exec ${defaultBinary()} "$@"
`;

async function takeWhatIsChosen(): Promise<void> {
  otherPort = await until("a port is chosen", () => {
    const chosen = existsSync(chosenPath) ? Number(readFileSync(chosenPath, "utf8")) : 0;
    return chosen > 0 ? chosen : undefined;
  });
  await new Promise<void>((listening) => other.listen(otherPort, "127.0.0.1", listening));
  writeFileSync(takenPath, "");
}

beforeAll(async () => {
  if (!mayMount) return;
  disk = makeSmallDisk("full-host-disk", 64);
  const qemuBinary = join(folder.path, "qemu-quicker");
  writeFileSync(qemuBinary, QUICKER, { mode: 0o755 });
  guests = await ownGuests({ guestsFolder: join(disk.path, "guests"), qemuBinary });
  const size = { cpuMilli: 1000, memoryBytes: 256 * MIB, diskBytes: 1024 * MIB };
  // As the agent's own user: so what stands in front of QEMU may write.
  const spec = guests.spec({ guestId: GUEST, size, maxSize: size, uid: 0 });
  await guests.driver.prepare(spec);
  await Promise.all([guests.driver.boot(spec), takeWhatIsChosen()]);
  await guests.untilAnswers(GUEST);
}, 180_000);

afterAll(async () => {
  if (!mayMount) return;
  other.close();
  await guests.clear();
  disk.remove();
  folder.remove();
});

test.runIf(mayMount)(
  "a port that is taken between its choice and QEMU's start is another's, and the guest gets the next",
  async () => {
    const { port, state } = await guests.driver.observe(GUEST);
    expect(state).toBe("running");
    expect(otherPort).toBeGreaterThan(0);
    expect(port).not.toBe(otherPort);
  },
);

test.runIf(mayMount)(
  "a guest that writes on a full host reads an error and goes on, and its wipe gives the room back",
  async () => {
    const before = await guests.driver.observe(GUEST);
    disk.fill(MIB);
    // It sees a disk of 1 GiB, of which the host has nothing any more.
    const write = "dd if=/dev/urandom of=/data/big bs=1M count=16 conv=fsync 2>&1; echo code $?";
    expect(await guests.ssh(GUEST, write)).toMatch(/(error|space).*code 1/is);
    expect(await guests.ssh(GUEST, "echo it goes on")).toBe("it goes on\n");
    const seen = await guests.driver.observe(GUEST);
    expect(seen).toMatchObject({ state: "running", processId: before.processId });
    expect(seen.cpuNs).toBeGreaterThan(before.cpuNs);
    await guests.driver.stop(GUEST, 0);
    await guests.driver.wipe(GUEST);
    expect(await guests.driver.list()).toEqual([]);
    disk.free();
    const { bavail, bsize, blocks } = statfsSync(disk.path);
    expect(bavail * bsize).toBeGreaterThan(0.95 * blocks * bsize);
  },
);
