import { spawn } from "node:child_process";

/** Runs a program to its end and gives what it printed; throws with what it complained about. */
export async function run(
  program: string,
  args: readonly string[],
  options: { readonly folder?: string; readonly input?: Buffer } = {},
): Promise<Buffer> {
  const child = spawn(program, args, {
    cwd: options.folder,
    // apt's words are parsed: they must not be translated.
    env: { ...process.env, LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const output: Buffer[] = [];
  const complaints: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => complaints.push(chunk));
  // A program that ends before it read its input reports so by its exit code.
  child.stdin.on("error", () => child.stdin.destroy());
  child.stdin.end(options.input);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code !== 0) {
    const said = Buffer.concat(complaints).toString().trim();
    throw new Error(`${program} ${args.join(" ")} failed (${code}): ${said}`);
  }
  return Buffer.concat(output);
}
