import { Option } from "commander";
import { InputError } from "../unit/quantity.ts";
import type { Context, Outcome } from "./context.ts";
import { EXIT_OURS } from "./failure.ts";
import { readId } from "./option/id.ts";
import { sshArguments, type Target } from "./ssh/arguments.ts";
import { runAttached, runCaptured } from "./ssh/session.ts";
import { wayIn } from "./ssh/way-in.ts";
import { verb } from "./verb.ts";

export function identityOption(): Option {
  return new Option(
    "--identity <file>",
    "the private key that opens the lease, when not the stored one",
  );
}

interface SshInput {
  readonly lease: string;
  readonly command: string[];
  readonly tty?: true;
  readonly identity?: string;
}

export const sshVerb = verb<SshInput>({
  usage: "ssh <lease> [command...]",
  summary: "Open a shell in a lease's partition, or run a command there as ssh does.",
  examples: ["sublet ssh lease_01k9…", "sublet ssh --tty lease_01k9… -- top"],
  options: [new Option("--tty", "a terminal for the command, too"), identityOption()],
  passThrough: true,
  failureExitCode: EXIT_OURS,
  run: async (context, { lease, command: typed, tty, identity }) => {
    const command = typed[0] === "--" ? typed.slice(1) : typed;
    if (context.json && command.length === 0) {
      throw new InputError("--json needs a command; a shell has no one document to print");
    }
    const target = await wayIn(context, readId("lease", lease), identity);
    return runIn(context, target, command, tty ? "always" : "as-ssh-does");
  },
});

async function runIn(
  context: Context,
  target: Target,
  command: string[],
  terminal: "always" | "never" | "as-ssh-does",
): Promise<Outcome> {
  const args = sshArguments(target, command, terminal);
  if (context.json) {
    const captured = await runCaptured("ssh", args);
    const json = { leaseId: target.leaseId, command, ...captured };
    return { json, text: "", exitCode: captured.exitCode };
  }
  return { json: undefined, text: "", exitCode: await runAttached("ssh", args) };
}
