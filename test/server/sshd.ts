import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { sshGreets } from "../../src/partition/qemu/banner.ts";
import { downloadable, downloadPackages, withAptLists } from "../../tools/small-linux/packages.ts";
import { run } from "../../tools/small-linux/run.ts";
import { ROOT } from "../guest/small-linux.ts";

/** With what Debian's sshd is linked to and its client's package does not bring. */
const PACKAGES = ["openssh-server", "libwrap0", "libnsl2", "libtirpc3"];

export interface Sshd {
  stop(): Promise<void>;
}

/**
 * OpenSSH's server in the place of a guest, from Debian's package but not installed: the system's own
 * service stays what it is. It sees an account that it needs and a /run of its own; needs root.
 */
export async function startSshd(
  folder: string,
  { port, hostKey, authorizedKey }: { port: number; hostKey: string; authorizedKey: string },
): Promise<Sshd> {
  const unpacked = await unpack(folder);
  const write = (name: string, text: string) => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  const config = [
    `ListenAddress 127.0.0.1:${port}`,
    `HostKey "${write("host_key", hostKey)}"`,
    `AuthorizedKeysFile "${write("authorized_keys", `${authorizedKey}\n`)}"`,
    ...["PidFile none", "UsePAM no", "StrictModes no", "PermitRootLogin prohibit-password"],
    ...["PasswordAuthentication no", "Subsystem sftp internal-sftp", "LogLevel QUIET"],
  ];
  const account = "sshd:x:65530:65534::/run/sshd:/usr/sbin/nologin\n";
  const passwd = write("passwd", readFileSync("/etc/passwd", "utf8") + account);
  const script = [
    `mount --bind '${passwd}' /etc/passwd`,
    "mount -t tmpfs tmpfs /run",
    "mkdir -m 755 /run/sshd",
    `exec '${unpacked}/usr/sbin/sshd' -D -e -f '${write("sshd_config", `${config.join("\n")}\n`)}'`,
  ].join(" && ");
  // It ends with a test run that is killed.
  const dying = ["--pdeathsig", "TERM", "unshare", "--mount", "--propagation", "private"];
  const child = spawn("setpriv", [...dying, "sh", "-c", script], {
    env: { PATH: process.env.PATH, LD_LIBRARY_PATH: libraries(unpacked) },
    stdio: ["ignore", "ignore", "inherit"],
    detached: true,
  });
  await untilListening(child, port);
  return { stop: () => end(child) };
}

async function unpack(folder: string): Promise<string> {
  const target = join(folder, "sshd");
  mkdirSync(target, { mode: 0o755 });
  const note = (line: string) => process.stderr.write(`${line}\n`);
  const packages = await withAptLists(() => downloadable(PACKAGES), note);
  for (const path of await downloadPackages(packages, join(ROOT, ".cache/packages"))) {
    await run("dpkg", ["-x", path, target]);
  }
  return target;
}

function libraries(unpacked: string): string {
  const machine = process.arch === "arm64" ? "aarch64" : "x86_64";
  return `${unpacked}/usr/lib/${machine}-linux-gnu:${unpacked}/lib/${machine}-linux-gnu`;
}

async function untilListening(child: ChildProcess, port: number): Promise<void> {
  for (let i = 0; i < 200; i++) {
    if (child.exitCode !== null) throw new Error(`sshd ended at its start (${child.exitCode})`);
    if (await sshGreets("127.0.0.1", port, 500)) return;
    await sleep(50);
  }
  throw new Error("sshd does not answer");
}

/** With its sessions: they are of its group. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.pid === undefined) return;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  await ended;
}
