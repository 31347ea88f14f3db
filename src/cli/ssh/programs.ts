import { spawn } from "node:child_process";
import { CliError } from "../failure.ts";

export type OpenSshProgram = "ssh" | "scp" | "ssh-keygen" | "ssh-keyscan";

/** One sentence for all of them: they come in one package. */
export function missing(program: OpenSshProgram): CliError {
  return new CliError(
    "ssh-missing",
    `${program} is not installed; install OpenSSH's client, on Debian and Ubuntu with \`apt install openssh-client\``,
    { program },
  );
}

/** Runs a program of OpenSSH to its end with nothing on its input; throws what it complained of. */
export async function runQuietly(
  program: OpenSshProgram,
  args: readonly string[],
): Promise<string> {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  let complaints = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk));
  child.stderr.on("data", (chunk: Buffer) => (complaints += chunk));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", (error: NodeJS.ErrnoException) =>
      reject(error.code === "ENOENT" ? missing(program) : error),
    );
    child.once("close", resolve);
  });
  if (code === 0) return output;
  throw new CliError(
    "ssh-failed",
    `${program} failed (${code}): ${complaints.trim()}; mend that, then try again`,
    {
      program,
      exitCode: code,
    },
  );
}

/** The Ed25519 key that whoever listens there has; undefined when nobody answers as SSH does. */
export async function scanHostKey(
  address: string,
  port: number,
  timeoutSeconds: number,
): Promise<string | undefined> {
  const args = ["-T", String(timeoutSeconds), "-p", String(port), "-t", "ed25519", address];
  const output = await runQuietly("ssh-keyscan", args).catch((error: unknown) => {
    if (error instanceof CliError && error.code === "ssh-failed") return "";
    throw error;
  });
  return /^\S+ (ssh-ed25519 [A-Za-z0-9+/=]+)$/m.exec(output)?.[1];
}
