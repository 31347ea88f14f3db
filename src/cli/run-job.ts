import { Option } from "commander";
import { InputError, parseBytes } from "../unit/quantity.ts";
import type { Context } from "./context.ts";
import { EXIT_OURS } from "./failure.ts";
import type { JobInput } from "./job/attached.ts";
import { checkNeeds } from "./job/book.ts";
import { interruptOption } from "./job/interrupt.ts";
import { readParallel } from "./job/parallel.ts";
import { quantity } from "./option/quantity.ts";
import { requirementOptions } from "./option/requirement.ts";
import { identityOption, wayOptions } from "./run-verb.ts";
import { verb } from "./verb.ts";

interface RunInput extends JobInput {
  readonly lease?: string;
  readonly detach?: true;
  readonly keep?: number;
  readonly parallel?: number;
  readonly input?: readonly string[];
}

/** Of the requirement's options those that one job has use for; none must be there with --lease. */
function needOptions(): Option[] {
  const without = ["--count", "--start"];
  return requirementOptions()
    .filter(({ long }) => !without.includes(long ?? ""))
    .map((option) => option.makeOptionMandatory(false));
}

function listOption(flags: string, description: string): Option {
  return new Option(flags, `${description}; may be repeated`).argParser(
    (text: string, before: readonly string[] | undefined) => [...(before ?? []), text],
  );
}

export const jobVerb = verb<RunInput>({
  usage: "job <command...>",
  isDefault: true,
  summary:
    "Do a whole job: book, send files, run a command, fetch files, end, tell the cost. The word `job` may be left out.",
  examples: [
    "sublet run --cpu 1 --memory 1GiB --os debian-12 --for 30m --max-cost 1.00 --put a.csv --get out.csv -- sh -c 'sort a.csv > out.csv'",
    "sublet run --cpu 2 --memory 2GiB --os debian-12 --for 4h --max-cost 5.00 --detach --put code --get 'results/*' -- make -C code",
    "sublet run --cpu 1 --memory 512MiB --os debian-12 --for 1h --max-cost 3.00 --parallel 4 --input 'data/*.csv' --get 'out/{/.}.json' -- process {}",
    "sublet run --lease lease_01k9… -- uname -a",
    "sublet run job --lease lease_01k9… 'sort | uniq -c' < words.txt",
  ],
  more: `Several arguments arrive as typed; a single one is a line for the guest's shell. Options of Sublet
stand before --, the command's behind it. Files are sent to the folder in which the command runs, or
to where it is said behind a colon: --put a.csv:/data/in.csv, --get out.csv:results/. Patterns of
--put and --input are expanded here, those of --get there.

The exit code is the command's own, 128 and the number for a signal that ended it, 255 for a failure
of Sublet's, and 255 as well when the command's was 0 but something named by --get is not there. With
--parallel it is 0, or 1 when a command failed. Interrupted, it is 130 for Ctrl-C and 143 for SIGTERM.

--detach returns when the command runs. It then needs neither this computer nor the server: its
output is kept in the guest (the last 8MiB at least of each stream), the lease ends when it is done,
and what --get names is kept at the server, encrypted to this computer, for 7 days after that or until
it is fetched by \`sublet run wait\` or \`get\`. The room for it (--keep) is part of the lease's disk. The
command's input is empty.`,
  options: [
    new Option("--lease <id>", "run in this lease, which goes on afterwards"),
    ...needOptions(),
    listOption(
      "--put <here>",
      "send this file, folder or pattern; FILE:NAME for another name there",
    ),
    listOption(
      "--get <there>",
      "fetch this file, folder or pattern; NAME:FILE for another one here",
    ),
    new Option("--tty", "a terminal for the command, as with ssh"),
    new Option("--detach", "leave it running, and return"),
    quantity(
      "--keep <size>",
      "room for what --detach leaves behind (256MiB; 32MiB for output alone)",
      readKeep,
    ),
    quantity("--parallel <number>", "over the --inputs, in so many leases at once", readParallel),
    listOption("--input <pattern>", "files to send one at a time; {} {.} {/} {/.} stand for each"),
    interruptOption(),
    new Option("--ssh-key <file>", "your own public key (FILE.pub) in place of one made for you"),
    identityOption(),
    ...wayOptions(),
    new Option("--yes", "book without asking, also without --max-cost"),
    new Option("--quiet", "nothing on stderr but failures and what the command writes"),
  ],
  passThrough: true,
  failureExitCode: EXIT_OURS,
  run: async (context, typed) => {
    const { command } = typed;
    const input = { ...typed, command: command[0] === "--" ? command.slice(1) : command };
    if (input.command.length === 0) throw new InputError("say what to run behind --");
    return choose(context, input);
  },
});

/** Loaded when it is needed: most of the command line is not about jobs. */
async function choose(context: Context, input: RunInput) {
  const { lease, detach, parallel, keep, input: inputs } = input;
  if (lease !== undefined) {
    if (detach || parallel !== undefined) {
      throw new InputError("--detach and --parallel book leases of their own; leave out --lease");
    }
    const { runInLease } = await import("./job/existing.ts");
    return runInLease(context, lease, input);
  }
  checkNeeds(input);
  if (keep !== undefined && !detach) throw new InputError("--keep is for --detach");
  if (parallel !== undefined || inputs !== undefined) {
    if (detach) {
      throw new InputError("--parallel hands out its inputs from here; leave out --detach");
    }
    if (inputs === undefined) throw new InputError("--parallel needs --input PATTERN");
    const { runParallel } = await import("./job/parallel.ts");
    return runParallel(context, { ...input, parallel: parallel ?? 1, input: inputs });
  }
  if (detach) {
    if (input.tty) throw new InputError("--detach leaves no terminal; leave out --tty");
    const { runDetached } = await import("./job/detached.ts");
    return runDetached(context, input);
  }
  const { runWholeJob } = await import("./job/attached.ts");
  return runWholeJob(context, input);
}

function readKeep(text: string): number {
  const bytes = parseBytes(text);
  if (bytes >= 2 * 2 ** 20 && bytes % 2 ** 20 === 0) return bytes;
  throw new InputError("ask for 2MiB or more, in whole MiB");
}
