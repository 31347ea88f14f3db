import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findControlGroups } from "../../src/partition/qemu/control-group/find.ts";
import { settingsOf } from "../../src/partition/qemu/control-group/settings.ts";
import { createQemuDriver } from "../../src/partition/qemu/driver.ts";
import { MIB, type OwnGuests, ownGuests } from "./own-guest.ts";

/** One guest with half a core of the pool, on a host whose control groups work. */

const GUEST = "lease_shared";
const CORES = availableParallelism() > 1 ? [0, 1] : [0];
const { sharedCpu, memoryLimit } = await findControlGroups();

let guests: OwnGuests;
let pid: number;

beforeAll(async () => {
  guests = await ownGuests();
  if (!sharedCpu) return;
  const size = { cpuMilli: 500, memoryBytes: 256 * MIB, diskBytes: 0 };
  const spec = guests.spec({ guestId: GUEST, size, cpuMode: "shared", cores: CORES });
  const booted = await guests.driver.boot(spec);
  pid = Number(booted.processId?.split(":")[1]);
  await guests.untilAnswers(GUEST);
}, 180_000);

afterAll(() => guests.clear());

test("what the host's control groups can do is told, works or not", async () => {
  const facts = await guests.driver.probe();
  expect(facts).toMatchObject({ sharedCpu, memoryLimit });
  expect(facts.controlGroupsReason).not.toBe("");
});

test.runIf(sharedCpu)("every thread of a guest's process is in its group, whoever asks", () => {
  const groups = readdirSync(`/proc/${pid}/task`).map((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/cgroup`, "utf8"),
  );
  expect(groups.length).toBeGreaterThan(2);
  for (const text of groups) expect(text).toMatch(/^\d+:[^:\n]*cpu[^\n]*\/sublet-lease_shared@/m);
});

test.runIf(sharedCpu)(
  "a shared guest that burns cpu gets its part of a core and no more",
  async () => {
    await guests.ssh(GUEST, "(timeout 8 yes; true) >/dev/null 2>&1 & sleep 1");
    const before = await guests.driver.observe(GUEST);
    const beganNs = process.hrtime.bigint();
    await sleep(4000);
    const after = await guests.driver.observe(GUEST);
    const part = Number(after.cpuNs - before.cpuNs) / Number(process.hrtime.bigint() - beganNs);
    // A test of the limit: on a busy host it may get less than it might have.
    expect(part).toBeLessThan(0.6);
    expect(part).toBeGreaterThan(0.05);
  },
  30_000,
);

test.runIf(sharedCpu && CORES.length > 1)(
  "a shared guest is moved when the pool has changed, and keeps running",
  async () => {
    const masks = () =>
      readdirSync(`/proc/${pid}/task`).map((thread) =>
        /^Cpus_allowed_list:\t(.*)$/m
          .exec(readFileSync(`/proc/${pid}/task/${thread}/status`, "utf8"))
          ?.at(1),
      );
    expect(new Set(masks())).toEqual(new Set(["0-1"]));
    await guests.driver.moveToCores(GUEST, [1]);
    expect(new Set(masks())).toEqual(new Set(["1"]));
    expect(await guests.ssh(GUEST, "nproc")).toBe("1\n");
  },
);

test.runIf(memoryLimit)("the process is held to its guest's memory and QEMU's own", async () => {
  const [, path] = /^\d+:memory:(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, "utf8")) ?? [];
  // Of version 1 only: in version 2 there is one group for all.
  if (path === undefined) return;
  const { places } = await findControlGroups();
  const place = places.find(({ controllers }) => controllers.includes("memory"));
  const folder = `${place?.folder}/${path.split("/").at(-1)}`;
  const limit = Number(readFileSync(`${folder}/memory.limit_in_bytes`, "utf8"));
  const used = Number(readFileSync(`${folder}/memory.max_usage_in_bytes`, "utf8"));
  expect(limit).toBeGreaterThan(256 * MIB);
  expect(limit).toBeLessThan(768 * MIB);
  expect(used).toBeLessThan(limit);
});

test.runIf(sharedCpu)("a later agent finds the group again, and its counter went on", async () => {
  const before = await guests.driver.observe(GUEST);
  const folder = `${guests.folder}/guests`;
  const later = createQemuDriver({ folder, log: () => undefined });
  const found = await later.observe(GUEST);
  expect(found.processId).toBe(before.processId);
  expect(found.cpuNs).toBeGreaterThanOrEqual(before.cpuNs);
});

test.runIf(sharedCpu)(
  "what is written for version 2 is taken by a kernel that has it",
  async () => {
    const limits = { cpuMilli: 500, cpuCapMilli: 500, memoryBytes: 256 * MIB };
    const controllers = ["cpu", "memory"] as const;
    const writes = settingsOf({ version: 2, controllers }, limits).map(
      ({ file, text }) => `echo "${text}" > g/${file} && cat g/${file}`,
    );
    const said = await guests.ssh(
      GUEST,
      [
        "mkdir /run/c && mount -t cgroup2 none /run/c && cd /run/c",
        'echo "+cpu +memory" > cgroup.subtree_control && mkdir g',
        ...writes,
        "sh -c 'echo $$ > g/cgroup.procs && true' && grep -c usage_usec g/cpu.stat && rmdir g",
      ].join(" && "),
    );
    const texts = settingsOf({ version: 2, controllers }, limits).map(({ text }) => text);
    expect(said.trim().split("\n")).toEqual([...texts, "1"]);
  },
  30_000,
);

test.runIf(sharedCpu)(
  "a process that is killed leaves its last counter; the wipe its group",
  async () => {
    const before = await guests.driver.observe(GUEST);
    process.kill(pid, "SIGKILL");
    await expect
      .poll(() => guests.driver.observe(GUEST), { timeout: 2000 })
      .toMatchObject({ state: "exited", exitReason: "process-died", processId: before.processId });
    expect((await guests.driver.observe(GUEST)).cpuNs).toBeGreaterThanOrEqual(before.cpuNs);
    const { places } = await findControlGroups();
    const left = () =>
      places.flatMap(({ folder }) =>
        readdirSync(folder).filter((name) => name.startsWith(`sublet-${GUEST}@`)),
      );
    expect(left()).not.toEqual([]);
    await guests.driver.wipe(GUEST);
    expect(left()).toEqual([]);
  },
);
