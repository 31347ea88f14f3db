import { spawn } from "node:child_process";
import { CliError } from "../failure.ts";

export type OpenSshProgram = "ssh" | "scp" | "ssh-keygen";

/** One sentence for all three: they come in one package. */
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
