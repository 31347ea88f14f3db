import { statSync } from "node:fs";
import type { Owner } from "./durable-file.ts";
import { hasCode } from "./errno.ts";

/** How the host keeps a guest's process small, beside QEMU's own sandbox. */
export interface Confinement {
  /** The unprivileged user; null when the agent is not root and so cannot change user. */
  readonly owner: Owner | null;
  /** The group that /dev/kvm is open to, where it is used. */
  readonly kvmGroup: number | null;
  /** The host's cores for the process's own threads; empty means any. */
  readonly cores: readonly number[];
  /** Folders of the control groups that the process joins before it becomes QEMU. */
  readonly groups: readonly string[];
  /** What opens the guest's second card for the process; empty means it has none. */
  readonly attach: readonly string[];
  /** No file of the process may grow beyond this. */
  readonly fileBytesMax: number;
}

/**
 * The command that starts QEMU confined. Descriptor 3 is the pipe for its complaints. No core is
 * dumped, as one would hold the guest's memory; no-new-privs makes set-uid programs powerless.
 */
export function confinedCommand(
  qemu: readonly string[],
  { owner, kvmGroup, cores, groups, attach, fileBytesMax }: Confinement,
): string[] {
  const pinned = cores.length > 0 ? ["taskset", "-c", cores.join(",")] : [];
  const limited = ["prlimit", "--core=0", `--fsize=${fileBytesMax}`];
  const user = ["setpriv", "--no-new-privs"];
  if (owner !== null) {
    user.push(`--reuid=${owner.uid}`, `--regid=${owner.gid}`);
    user.push(kvmGroup === null ? "--clear-groups" : `--groups=${kvmGroup}`);
    user.push("--inh-caps=-all", "--bounding-set=-all");
  }
  return [...SHELL, ...groups, "--", ...pinned, ...limited, ...attach, ...user, ...qemu];
}

/**
 * Makes descriptor 3 the process's output, and closes those that the agent itself was started
 * with: Node does not, and an untrusted process must not hold them. It is bash, since dash cannot
 * name descriptors above 9. Then it joins its control groups, before there is any other thread, and
 * does not go on where it cannot: nothing of a guest runs outside of its limits.
 */
const CLOSE_JOIN_EXEC =
  'for fd in $(ls /proc/self/fd); do if ((fd > 3)); then eval "exec $fd>&-"; fi; done; ' +
  "exec >&3 2>&3 3>&-; " +
  'while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs" || exit 1; shift; done; shift; ' +
  'exec "$@"';
const SHELL = ["/bin/bash", "-c", CLOSE_JOIN_EXEC, "sublet"];

/** Who owns a guest's files and process. Its group has the user's number, and so no other member. */
export function ownerOf(uid: number): Owner | null {
  return process.getuid?.() === 0 ? { uid, gid: uid } : null;
}

/** The group through which an unprivileged process may open KVM's device, or why it may not. */
export function kvmGroup(): { readonly group: number | null } | { readonly refusal: string } {
  try {
    const { mode, gid } = statSync(KVM_DEVICE);
    if ((mode & 0o006) === 0o006) return { group: null };
    // The group of root would open far more than this device.
    if ((mode & 0o060) === 0o060 && gid !== 0) return { group: gid };
    return { refusal: `${KVM_DEVICE} is open to root alone; ${KVM_REMEDY}` };
  } catch (error) {
    if (hasCode(error, "ENOENT")) return { refusal: `this computer has no ${KVM_DEVICE}` };
    throw error;
  }
}

const KVM_DEVICE = "/dev/kvm";
const KVM_REMEDY = `type: chgrp kvm ${KVM_DEVICE} && chmod 660 ${KVM_DEVICE}`;
