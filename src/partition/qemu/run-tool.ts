import { spawn } from "node:child_process";
import { DriverError } from "../driver.ts";
import { hasCode } from "./errno.ts";

/** Which Debian package has a tool that the driver calls. */
const PACKAGES = new Map([
  ["mkfs.ext4", "e2fsprogs"],
  ["mkfifo", "coreutils"],
  ["taskset", "util-linux"],
  ["qemu-img", "qemu-utils"],
  ["flock", "util-linux"],
  ["nft", "nftables"],
]);

/** Where administrators' tools are, which an ordinary user's PATH often lacks. */
export const TOOL_PATH = `${process.env.PATH ?? "/usr/bin:/bin"}:/usr/sbin:/sbin`;

/** Runs one of the host's tools to its end; throws `tool-missing`, or what it complained about. */
export async function runTool(tool: string, args: readonly string[]): Promise<string> {
  const child = spawn(tool, args, {
    env: { PATH: TOOL_PATH, LC_ALL: "C" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => said.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => said.push(chunk));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  }).catch((error: unknown) => {
    if (!hasCode(error, "ENOENT")) throw error;
    const name = PACKAGES.get(tool) ?? tool;
    throw new DriverError("tool-missing", `${tool} is missing; type: apt-get install ${name}`);
  });
  const text = Buffer.concat(said).toString().trim();
  if (code === 0) return text;
  if (/No space left on device/.test(text)) {
    throw new DriverError("disk-full", "the disk that holds the guests is full; free some space");
  }
  throw new Error(`${tool} ${args.join(" ")} failed (${code}): ${text}`);
}
