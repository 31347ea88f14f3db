import { Option } from "commander";
import { InputError } from "../unit/quantity.ts";
import type { Context, Outcome } from "./context.ts";
import { EXIT_OURS } from "./failure.ts";
import { sshArguments, type Target } from "./ssh/arguments.ts";
import type { WayWanted } from "./ssh/proxy-command.ts";
import { runAttached, runCaptured } from "./ssh/session.ts";
import { wayIn } from "./ssh/way-in.ts";
import { verb } from "./verb.ts";

export function identityOption(): Option {
  return new Option(
    "--identity <file>",
    "the private key that opens the lease, when not the stored one",
  );
}

/** Of both verbs that have a command behind them. */
const OWN_UNTIL =
  "The long flags below are Sublet's wherever they stand before --; all behind -- is the command's.";

/** For every verb that goes into a guest. */
export interface WayOptions {
  readonly direct?: true;
  readonly relay?: true;
}

export function wayOptions(): Option[] {
  return [
    new Option("--direct", "dial the host itself, without asking whether it is in reach"),
    new Option("--relay", "through the server, even where the host is in reach").conflicts(
      "direct",
    ),
  ];
}

export function wayWanted({ direct, relay }: WayOptions): WayWanted {
  return direct ? "direct" : relay ? "relay" : "auto";
}

interface SshInput extends WayOptions {
  readonly lease: string;
  readonly command: string[];
  readonly tty?: true;
  readonly identity?: string;
}

export const sshVerb = verb<SshInput>({
  usage: "ssh <lease> [command...]",
  summary: "Open a shell in a lease's partition, or run a command there as ssh does.",
  examples: ["sublet ssh lease_01k9…", "sublet ssh lease_01k9… --tty -- top"],
  more: OWN_UNTIL,
  options: [
    new Option("--tty", "a terminal for the command, too"),
    identityOption(),
    ...wayOptions(),
  ],
  passThrough: true,
  failureExitCode: EXIT_OURS,
  run: async (context, { lease, command, tty, identity, ...way }) => {
    if (context.json && command.length === 0) {
      throw new InputError("--json needs a command; a shell has no one document to print");
    }
    const target = await wayIn(context, lease, identity, wayWanted(way));
    return runIn(context, target, command, tty ? "always" : "as-ssh-does");
  },
});

export async function runIn(
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
