import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { sshArguments, type Target } from "../../src/cli/ssh/arguments.ts";
import type { Lease, Market } from "./market.ts";

const execute = promisify(execFile);

export interface SshRan {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How `sublet` goes into the guest; a test puts something else in the place of a part of it. */
export function targetOf({ configFolder }: Market, lease: Lease): Target {
  if (lease.access === null) throw new Error(`${lease.leaseId} has no way in`);
  return {
    leaseId: lease.leaseId,
    access: lease.access,
    identityFile: join(configFolder, "ssh/client/id_ed25519"),
    knownHostsFile: join(configFolder, "leases", lease.leaseId, "known_hosts"),
  };
}

/** OpenSSH itself, with our arguments; of options that are given twice it takes the first. */
export async function ssh(target: Target, command: string, first: string[] = []): Promise<SshRan> {
  const args = [...first, ...sshArguments(target, [command], "never")];
  const running = execute("ssh", ["-o", "BatchMode=yes", ...args]);
  running.child.stdin?.end();
  try {
    return { exitCode: 0, ...(await running) };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { exitCode: code, stdout, stderr };
  }
}

/** Makes a key, and gives the path of its private half. */
export async function newKey(path: string): Promise<string> {
  await execute("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", path]);
  return path;
}
