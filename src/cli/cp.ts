import { Option } from "commander";
import { InputError } from "../unit/quantity.ts";
import { CliError } from "./failure.ts";
import { readBeginning } from "./naming/resolve-id.ts";
import { identityOption, type WayOptions, wayOptions, wayWanted } from "./run-verb.ts";
import { type Place, scpArguments } from "./ssh/arguments.ts";
import { runAttached, runCaptured } from "./ssh/session.ts";
import { wayIn } from "./ssh/way-in.ts";
import { verb } from "./verb.ts";

interface CopyInput extends WayOptions {
  readonly source: string;
  readonly destination: string;
  readonly recursive?: true;
  readonly identity?: string;
}

export const cpVerb = verb<CopyInput>({
  usage: "cp <source> <destination>",
  summary: "Copy files into a lease's partition, or out of it.",
  examples: ["sublet cp words.txt lease_01k9…:", "sublet cp -r lease_01k9…:results ./results"],
  options: [
    new Option("-r, --recursive", "folders with all that is in them"),
    identityOption(),
    ...wayOptions(),
  ],
  run: async (context, { source, destination, recursive, identity, ...way }) => {
    const from = readSide(source);
    const to = readSide(destination);
    const lease = from.lease ?? to.lease;
    if (lease === null || (from.lease !== null && to.lease !== null)) {
      throw new InputError(
        "one side, and one only, is in a lease: LEASE:PATH, like lease_01k…:results.txt",
      );
    }
    const target = await wayIn(context, lease, identity, wayWanted(way));
    const { leaseId } = target;
    const at = (side: Side): Place => ({
      leaseId: side.lease === null ? null : leaseId,
      path: side.path,
    });
    const args = scpArguments(target, at(from), at(to), recursive ?? false);
    if (!context.json) {
      return {
        json: undefined,
        text: "",
        exitCode: (await runAttached("scp", args)) === 0 ? 0 : 1,
      };
    }
    const { exitCode, stderr } = await runCaptured("scp", args);
    if (exitCode !== 0)
      throw new CliError(
        "copy-failed",
        `${stderr.trim() || "scp failed"}; check both paths, and the lease with \`sublet lease show ${leaseId}\``,
        { source, destination },
      );
    return { json: { leaseId, source, destination }, text: "" };
  },
});

interface Side {
  /** Its id or the beginning of it; null here. */
  readonly lease: string | null;
  readonly path: string;
}

/** `LEASE:PATH`, or a path here. */
function readSide(text: string): Side {
  const [, lease = "", path = ""] = /^(lease_[^:/]*):(.*)$/s.exec(text) ?? [];
  if (lease === "") return { lease: null, path: text };
  readBeginning("lease", lease);
  return { lease, path };
}
