import { mkdir, readFile } from "node:fs/promises";
import { release } from "node:os";
import { join } from "node:path";
import { DriverError, type DriverFacts } from "../driver.ts";
import { kvmGroup } from "./confinement.ts";
import type { ControlGroups } from "./control-group/find.ts";
import { writeDurably } from "./durable-file.ts";
import { hasCode } from "./errno.ts";
import type { Internet } from "./internet/find.ts";
import { type KvmVerdict, tryKvm } from "./kvm-trial.ts";
import { runTool } from "./run-tool.ts";
import { hostBootId } from "./running.ts";

export interface ProbeOptions {
  readonly folder: string;
  readonly qemuBinary: string;
  readonly accelerator: "kvm" | "tcg" | undefined;
  readonly controlGroups: ControlGroups;
  readonly internet: Internet;
}

/**
 * What QEMU on this computer can do. KVM is tried once for each QEMU, kernel and boot of the
 * computer, and the answer kept in `accelerator.json`.
 */
export async function probeQemu(options: ProbeOptions): Promise<DriverFacts> {
  const version = await qemuVersion(options.qemuBinary);
  const architecture = process.arch === "arm64" ? "aarch64" : "x86_64";
  const { sharedCpu, memoryLimit, reason: controlGroupsReason } = options.controlGroups;
  const { works, reason: internetReason } = options.internet;
  const held = {
    ...{ sharedCpu, memoryLimit, controlGroupsReason },
    ...{ internet: works, internetReason },
  };
  if (options.accelerator !== undefined) {
    const acceleratorReason = "set in the agent's configuration";
    return { accelerator: options.accelerator, acceleratorReason, architecture, version, ...held };
  }
  const verdict = await kvmVerdict(options, version);
  const accelerator = verdict.works ? "kvm" : "tcg";
  const acceleratorReason = verdict.reason;
  return { accelerator, acceleratorReason, architecture, version, ...held };
}

/** Debian's package of the emulator for this computer's own processor. */
export function defaultBinary(): string {
  return process.arch === "arm64" ? "qemu-system-aarch64" : "qemu-system-x86_64";
}

async function qemuVersion(binary: string): Promise<string> {
  const said = await runTool(binary, ["--version"]).catch((error: unknown) => {
    if (error instanceof DriverError && error.code === "tool-missing") {
      const debianPackage = process.arch === "arm64" ? "qemu-system-arm" : "qemu-system-x86";
      const message = `QEMU (${binary}) is missing; type: apt-get install ${debianPackage}`;
      throw new DriverError("qemu-missing", message, { cause: error });
    }
    throw error;
  });
  const version = /version (\S+)/.exec(said)?.[1];
  if (version === undefined) throw new Error(`${binary} --version was not understood: ${said}`);
  return version;
}

/** What can be mended without a restart is looked at each time; only the trial's answer is kept. */
async function kvmVerdict(options: ProbeOptions, version: string): Promise<KvmVerdict> {
  if (process.arch !== "x64") {
    return { works: false, reason: `KVM is not tried on ${process.arch} yet` };
  }
  const device = kvmGroup();
  if ("refusal" in device) return { works: false, reason: device.refusal };
  const key = `${options.qemuBinary} ${version} ${release()} ${hostBootId()}`;
  const path = join(options.folder, "accelerator.json");
  const kept = await keptVerdict(path);
  if (kept?.key === key) return kept;
  const verdict = await tryKvm(options.qemuBinary, device.group);
  await mkdir(options.folder, { recursive: true, mode: 0o700 });
  await writeDurably(path, `${JSON.stringify({ key, ...verdict }, null, 2)}\n`, { mode: 0o600 });
  return verdict;
}

async function keptVerdict(path: string): Promise<(KvmVerdict & { readonly key: string }) | null> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    if (hasCode(error, "ENOENT")) return null;
    throw error;
  }
}
