import { spawn } from "node:child_process";
import { chmod, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Confinement, confinedCommand, ownerOf } from "./confinement.ts";
import { KVM_TRIAL_DISK_BYTES, KVM_TRIAL_PASSED, KVM_TRIAL_PROGRAM } from "./kvm-trial-program.ts";
import { TOOL_PATH } from "./run-tool.ts";

export interface KvmVerdict {
  readonly works: boolean;
  readonly reason: string;
}

/** Real hardware needs 0.3 s. */
const TRIAL_LIMIT_MS = 3000;

/** The user that owns nothing. */
const NOBODY_UID = 65534;

/** Runs a tiny guest under KVM, as unprivileged as guests are. */
export function tryKvm(qemuBinary: string, group: number | null): Promise<KvmVerdict> {
  const as = { owner: ownerOf(NOBODY_UID), kvmGroup: group };
  return runTrialGuest([qemuBinary, "-accel", "kvm", "-cpu", "host"], as);
}

/** Runs the trial guest on any accelerator, as `qemu` names it, and judges how it ended. */
export async function runTrialGuest(
  qemu: readonly string[],
  as: Pick<Confinement, "owner" | "kvmGroup">,
): Promise<KvmVerdict> {
  const folder = await mkdtemp(join(tmpdir(), "sublet-kvm-"));
  try {
    await writeTrialDisk(join(folder, "trial.img"));
    await chmod(folder, 0o755);
    const none = { cores: [], groups: [], attach: [] };
    const confinement = { ...as, ...none, fileBytesMax: KVM_TRIAL_DISK_BYTES };
    return await judge(confinedCommand([...qemu, ...TRIAL_ARGUMENTS], confinement), folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const TRIAL_ARGUMENTS = [
  ...["-machine", "q35", "-smp", "1", "-m", "64"],
  ...["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"],
  ...["-drive", "if=none,id=trial,file=trial.img,format=raw,readonly=on"],
  ...["-device", "virtio-blk-pci,drive=trial,bootindex=0"],
  ...["-device", "isa-debug-exit,iobase=0xf4,iosize=1"],
];

async function writeTrialDisk(path: string): Promise<void> {
  const handle = await open(path, "wx", 0o644);
  try {
    await handle.write(KVM_TRIAL_PROGRAM);
    await handle.truncate(KVM_TRIAL_DISK_BYTES);
  } finally {
    await handle.close();
  }
}

async function judge(command: readonly string[], folder: string): Promise<KvmVerdict> {
  const [program = "", ...args] = command;
  const child = spawn(program, args, {
    cwd: folder,
    env: { PATH: TOOL_PATH, LC_ALL: "C" },
    stdio: ["ignore", "ignore", "ignore", "pipe"],
    timeout: TRIAL_LIMIT_MS,
    killSignal: "SIGKILL",
  });
  const complaints: Buffer[] = [];
  child.stdio[3]?.on("data", (chunk: Buffer) => complaints.push(chunk));
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>(
    (resolve, reject) => {
      child.once("error", reject);
      child.once("close", (...ended) => resolve(ended));
    },
  );
  if (code === KVM_TRIAL_PASSED) {
    return { works: true, reason: "a trial guest ran, with paging, interrupts and computing" };
  }
  if (signal === "SIGKILL" && child.killed) {
    const reason = `a trial guest did not end within ${TRIAL_LIMIT_MS} ms: KVM is there and does not work`;
    return { works: false, reason };
  }
  const said = Buffer.concat(complaints).toString().trim().split("\n").at(-1) ?? "";
  return { works: false, reason: `a trial guest failed: ${said || (signal ?? code)}` };
}
