import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, statSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { GuestObservation, GuestSpec, PartitionDriver } from "../../src/partition/driver.ts";
import { judge } from "../../src/partition/qemu/control-group/find.ts";
import { virtualCpuThreads } from "../../src/partition/qemu/cpu-time.ts";
import { createQemuDriver } from "../../src/partition/qemu/driver.ts";
import { runTrialGuest } from "../../src/partition/qemu/kvm-trial.ts";
import { commandLine, identify } from "../../src/partition/qemu/process-table.ts";
import { qmp } from "../../src/partition/qemu/qmp.ts";
import { buildSmallLinux } from "../../tools/small-linux/build.ts";

/** One guest, started by a process that is killed at once; the tests go on with it in order. */

const MIB = 1024 * 1024;
const ROOT = join(import.meta.dirname, "../..");
const GUEST_UID = 64_101;
/** Each virtual cpu has a core of its own where the computer has two. */
const CORES = availableParallelism() > 1 ? [0, 1] : [0];
const isRoot = process.getuid?.() === 0;
const execute = promisify(execFile);

let folder: string;
let driver: PartitionDriver;
let spec: GuestSpec;
let booted: GuestObservation;
const logged: string[] = [];
const note = (line: string) => logged.push(line);

beforeAll(async () => {
  const cache = join(ROOT, ".cache");
  const image = await buildSmallLinux({
    outputFolder: join(cache, "small-linux"),
    cacheFolder: join(cache, "packages"),
    log: note,
  });
  folder = await mkdtemp(join(tmpdir(), "sublet-qemu-"));
  for (const name of ["client", "host"]) {
    await execute("ssh-keygen", [
      "-q",
      "-t",
      "ed25519",
      "-N",
      "",
      "-C",
      "",
      "-f",
      join(folder, name),
    ]);
  }
  const hostKey = readFileSync(join(folder, "host.pub"), "utf8");
  await writeFile(join(folder, "known_hosts"), `the-guest ${hostKey}`);
  spec = {
    guestId: "lease_tested",
    hostname: "tested",
    size: { cpuMilli: 2000, memoryBytes: 256 * MIB, diskBytes: 256 * MIB },
    maxSize: { cpuMilli: 2000, memoryBytes: 256 * MIB, diskBytes: 256 * MIB },
    cpuMode: "dedicated",
    cores: CORES,
    uid: GUEST_UID,
    image: {
      kernelPath: join(image.folder, "kernel"),
      initramfsPath: join(image.folder, "initramfs"),
      kernelArguments: image.manifest.boot.kernelArguments,
    },
    access: {
      address: "127.0.0.1",
      port: 0,
      user: "root",
      authorizedKey: readFileSync(join(folder, "client.pub"), "utf8").trim(),
      hostKeyPrivate: readFileSync(join(folder, "host"), "utf8"),
    },
  };
  booted = await bootInProcessThatIsKilled();
  driver = createQemuDriver({ folder: join(folder, "guests"), log: note });
  await untilAnswers();
}, 180_000);

afterAll(async () => {
  for (const guestId of (await driver?.list()) ?? []) {
    await driver.stop(guestId, 0);
    await driver.wipe(guestId);
  }
  await rm(folder, { recursive: true, force: true });
});

test("an image that was built already is found at once", async () => {
  const cache = join(ROOT, ".cache");
  const began = performance.now();
  const options = { cacheFolder: join(cache, "packages"), log: note };
  await buildSmallLinux({ outputFolder: join(cache, "small-linux"), ...options });
  expect(performance.now() - began).toBeLessThan(100);
});

test.runIf(process.arch === "x64")(
  "the guest that KVM is tried with runs where it can",
  async () => {
    const as = { owner: null, kvmGroup: null };
    const verdict = await runTrialGuest(["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max"], as);
    expect(verdict.works).toBe(true);
  },
);

test("a guest outlives the process that started it and is found again", async () => {
  const found = await driver.observe(spec.guestId);
  expect(found).toMatchObject({ state: "running", processId: booted.processId, port: booted.port });
  expect(await driver.list()).toEqual([spec.guestId]);
  expect((await driver.boot(spec)).processId).toBe(booted.processId);
});

test("a guest whose start was never written down is found by its name", async () => {
  await rm(join(folder, "guests", spec.guestId, "guest.json"));
  expect(await driver.observe(spec.guestId)).toMatchObject({ state: "running", port: booted.port });
  expect((await driver.boot(spec)).processId).toBe(booted.processId);
  expect(await driver.answers(spec.guestId, 3000)).toBe(true);
});

test("the host key is the one given, and the client's key lets in", async () => {
  expect(await ssh("cat /etc/os-release; hostname; nproc")).toMatch(
    /ID=small-linux[\s\S]*tested\n2\n/,
  );
});

test("no password and no other key lets in", async () => {
  const other = join(folder, "other");
  await execute("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", other]);
  await expect(ssh("true", other)).rejects.toThrow(/Permission denied \(publickey\)/);
});

test("the data disk has the size asked for, and takes files", async () => {
  const [path, scp] = [join(folder, "sent"), "scp"];
  await writeFile(path, "sent by the client\n");
  await execute(scp, [...sshOptions("-P"), path, "root@127.0.0.1:/data/sent"]);
  expect(await ssh("cat /data/sent; cat /sys/block/vda/size")).toBe(
    `sent by the client\n${(256 * MIB) / 512}\n`,
  );
});

test("the guest reaches nothing but its SSH", async () => {
  let reached = 0;
  const server = createServer((socket) => {
    reached += 1;
    socket.end("reached");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" ? address?.port : null;
  const attempts = `nc -w 1 10.0.2.2 ${port}; nc -w 1 127.0.0.1 ${port}; ping -c 1 -W 1 10.0.2.2; true`;
  const said = await ssh(`(${attempts}) </dev/null 2>&1`);
  server.close();
  expect(said).not.toMatch(/reached/);
  expect(reached).toBe(0);
});

test.runIf(isRoot)("QEMU runs as an unprivileged user", () => {
  const status = readFileSync(`/proc/${pidOf(booted)}/status`, "utf8");
  expect(status).toMatch(new RegExp(`^Uid:\t${GUEST_UID}\t${GUEST_UID}\t${GUEST_UID}`, "m"));
  expect(status).toMatch(/^CapBnd:\t0+$/m);
  expect(status).toMatch(/^NoNewPrivs:\t1$/m);
  expect(status).toMatch(/^Groups:\t\s*$/m);
});

test("QEMU is sandboxed, and nobody else can read the guest's files", () => {
  expect(readFileSync(`/proc/${pidOf(booted)}/status`, "utf8")).toMatch(/^Seccomp:\t2$/m);
  const paths = [join(folder, "guests", spec.guestId), machine()];
  for (const path of paths) expect(statSync(path).mode & 0o777).toBe(0o700);
});

test("the threads that are metered are the ones that QEMU calls its virtual cpus", async () => {
  const [answer] = await qmp(join(machine(), "qmp.sock"), [{ execute: "query-cpus-fast" }], 2000);
  const threads = answer as { "thread-id": number }[];
  const metered = virtualCpuThreads(pidOf(booted)).map(({ threadId }) => threadId);
  expect(metered).toEqual(threads.map((thread) => thread["thread-id"]));
  const masks = metered.map((id) =>
    /^Cpus_allowed_list:\t(.*)$/m.exec(readFileSync(`/proc/${id}/status`, "utf8"))?.at(1),
  );
  expect(masks).toEqual(CORES.length === 2 ? ["0", "1"] : ["0", "0"]);
});

test("the counter follows what the guest computes", async () => {
  const before = await driver.observe(spec.guestId);
  const processBeforeNs = processCpuNs(before.processId);
  await ssh("timeout 1 sh -c 'while :; do :; done'; true");
  const after = await driver.observe(spec.guestId);
  const processRanNs = processCpuNs(after.processId) - processBeforeNs;
  const ranNs = after.cpuNs - before.cpuNs;
  // Against the kernel's own count of the whole process, however much a busy machine gave it.
  expect(ranNs).toBeGreaterThan(100_000_000n);
  expect(ranNs).toBeLessThanOrEqual(processRanNs + 100_000_000n);
  expect(ranNs).toBeGreaterThan(processRanNs / 2n);
});

/** User and system time of the process, in the kernel's ticks of a hundredth of a second. */
function processCpuNs(processId: string | null): bigint {
  const pid = processId?.split(":")[1];
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (BigInt(fields[11] ?? 0) + BigInt(fields[12] ?? 0)) * 10_000_000n;
}

test("a guest cannot fill the host's disk through its console", async () => {
  await ssh("yes 0123456789abcdef | head -c 600000 > /dev/ttyS0; echo the end > /dev/ttyS0");
  // What the guest has written may still be on its way through a busy machine.
  await expect.poll(() => driver.console(spec.guestId), { timeout: 20_000 }).toContain("the end");
  expect((await driver.console(spec.guestId)).length).toBeLessThan(600_000);
});

test("a port that is taken is named", async () => {
  const access = { ...spec.access, port: booted.port ?? 0 };
  const second = { ...spec, guestId: "lease_second", access };
  await expect(driver.boot(second)).rejects.toMatchObject({ code: "port-taken" });
  await driver.wipe(second.guestId);
});

test("a guest that cannot start is named, with what QEMU said", async () => {
  const kernelPath = join(folder, "no-kernel");
  await writeFile(kernelPath, "this is no kernel".repeat(1000));
  const broken = { ...spec, guestId: "lease_broken", image: { ...spec.image, kernelPath } };
  const boot = driver.boot(broken);
  await expect(boot).rejects.toMatchObject({ code: "boot-failed" });
  await expect(boot).rejects.toThrow(/kernel/);
  expect(await driver.observe(broken.guestId)).toMatchObject({ state: "exited" });
  await driver.wipe(broken.guestId);
});

test("a missing QEMU is named", async () => {
  const options = { folder: join(folder, "none"), qemuBinary: "qemu-not-there", log: note };
  const probe = createQemuDriver(options).probe();
  await expect(probe).rejects.toMatchObject({ code: "qemu-missing" });
  await expect(probe).rejects.toThrow(/apt-get install qemu-system-/);
});

test("a part of a core is not dedicated, and without control groups not shared either", async () => {
  const part = { ...spec, guestId: "lease_part", size: { ...spec.size, cpuMilli: 500 } };
  await expect(driver.boot(part)).rejects.toMatchObject({ code: "unsupported" });
  const controlGroups = judge([], ["cpu: EROFS: read-only file system"]);
  const without = createQemuDriver({ folder: join(folder, "guests"), controlGroups, log: note });
  expect(await without.probe()).toMatchObject({ sharedCpu: false, memoryLimit: false });
  const shared = without.boot({ ...part, cpuMode: "shared" });
  await expect(shared).rejects.toMatchObject({ code: "fractions-unsupported" });
  await expect(shared).rejects.toThrow(/read-only file system/);
  await driver.wipe("lease_part");
});

test("a guest that powers itself off leaves a last reading, and starts again with its data", async () => {
  await ssh("(sleep 0.2; poweroff -f) >/dev/null 2>&1 &");
  const ended = await until(async () => {
    const seen = await driver.observe(spec.guestId);
    return seen.state === "exited" ? seen : null;
  });
  expect(ended).toMatchObject({ exitReason: "guest-powered-off", processId: booted.processId });
  expect(ended.cpuNs).toBeGreaterThan(0n);
  expect(await driver.answers(spec.guestId, 300)).toBe(false);

  const again = await driver.boot(spec);
  expect(again).toMatchObject({ state: "running", port: booted.port });
  expect(again.processId).not.toBe(booted.processId);
  await untilAnswers();
  expect(await ssh("cat /data/sent")).toBe("sent by the client\n");
}, 30_000);

test("a guest that crashes is told from one that powered itself off", async () => {
  await ssh("(sleep 0.2; echo c > /proc/sysrq-trigger) >/dev/null 2>&1 &");
  const reason = await until(async () => (await driver.observe(spec.guestId)).exitReason);
  expect(reason).toBe("guest-crashed");
});

test("a stopped guest leaves no process and a wiped one no file", async () => {
  const again = await driver.boot(spec);
  await untilAnswers();
  await expect(driver.wipe(spec.guestId)).rejects.toMatchObject({ code: "guest-alive" });
  const last = await driver.observe(spec.guestId);
  await driver.stop(spec.guestId, 5000);
  await driver.stop(spec.guestId, 5000);
  expect(identify(pidOf(again))).toBeNull();
  const stopped = await driver.observe(spec.guestId);
  expect(stopped).toMatchObject({ state: "exited", exitReason: "stopped" });
  expect(stopped.cpuNs).toBeGreaterThanOrEqual(last.cpuNs);
  expect(await driver.console(spec.guestId)).toMatch(/Power down/);

  const evidence = await driver.wipe(spec.guestId);
  expect(evidence.files).toBeGreaterThan(8);
  expect(evidence.bytes).toBeGreaterThan(256 * MIB);
  expect(existsSync(join(folder, "guests", spec.guestId))).toBe(false);
  expect(await driver.wipe(spec.guestId)).toEqual({ files: 0, bytes: 0 });
  expect(await driver.observe(spec.guestId)).toMatchObject({ state: "absent" });
  expect(await driver.list()).toEqual([]);
}, 30_000);

/** The driver is used by a process of its own, which is ended without any chance to tidy up. */
async function bootInProcessThatIsKilled(): Promise<GuestObservation> {
  const source = `
    import { createQemuDriver } from ${JSON.stringify(join(ROOT, "src/partition/qemu/driver.ts"))};
    const [folder, spec] = process.argv.slice(1);
    const driver = createQemuDriver({ folder, log: () => undefined });
    await driver.prepare(JSON.parse(spec));
    const seen = await driver.boot(JSON.parse(spec));
    process.stdout.write(JSON.stringify({ ...seen, cpuNs: String(seen.cpuNs) }));
    setInterval(() => undefined, 1000);
  `;
  const args = ["--input-type=module", "-e", source, join(folder, "guests"), JSON.stringify(spec)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const [printed] = await Promise.race([
    once(child.stdout, "data"),
    once(child, "exit").then(() => Promise.reject(new Error("the booting process ended"))),
  ]);
  child.kill("SIGKILL");
  await once(child, "exit");
  const seen = JSON.parse(String(printed));
  expect(commandLine(pidOf(seen)).join(" ")).toContain(spec.guestId);
  return { ...seen, cpuNs: BigInt(seen.cpuNs) };
}

async function untilAnswers(): Promise<void> {
  await until(async () => (await driver.answers(spec.guestId, 300)) || null);
}

async function until<T>(look: () => Promise<T | null>, limitMs = 25_000): Promise<T> {
  for (const end = performance.now() + limitMs; performance.now() < end; await sleep(50)) {
    const seen = await look();
    if (seen !== null) return seen;
  }
  const console_ = await driver.console(spec.guestId);
  throw new Error(`it did not come about; the guest's console: ${console_.slice(-2000)}`);
}

async function ssh(command: string, key = join(folder, "client")): Promise<string> {
  const { stdout } = await execute("ssh", [...sshOptions("-p", key), "root@127.0.0.1", command]);
  return stdout;
}

function sshOptions(portFlag: "-p" | "-P", key = join(folder, "client")): string[] {
  return [
    ...["-F", "none", "-i", key, portFlag, String(booted.port), "-o", "IdentitiesOnly=yes"],
    ...["-o", `UserKnownHostsFile=${join(folder, "known_hosts")}`, "-o", "HostKeyAlias=the-guest"],
    ...["-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10"],
  ];
}

function pidOf(seen: GuestObservation): number {
  return Number(seen.processId?.split(":")[1]);
}

function machine(): string {
  return join(folder, "guests", spec.guestId, "machine");
}
