import { Option } from "commander";
import { isId } from "../unit/id.ts";
import { InputError } from "../unit/quantity.ts";
import { CliError } from "./failure.ts";
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
    const from = readPlace(source);
    const to = readPlace(destination);
    const leaseId = from.leaseId ?? to.leaseId;
    if (leaseId === null || (from.leaseId !== null && to.leaseId !== null)) {
      throw new InputError(
        "one side, and one only, is in a lease: LEASE:PATH, like lease_01k…:results.txt",
      );
    }
    const target = await wayIn(context, leaseId, identity, wayWanted(way));
    const args = scpArguments(target, from, to, recursive ?? false);
    if (!context.json) {
      return {
        json: undefined,
        text: "",
        exitCode: (await runAttached("scp", args)) === 0 ? 0 : 1,
      };
    }
    const { exitCode, stderr } = await runCaptured("scp", args);
    if (exitCode !== 0) throw new CliError("copy-failed", stderr.trim(), { source, destination });
    return { json: { leaseId, source, destination }, text: "" };
  },
});

/** `LEASE:PATH`, or a path here. */
function readPlace(text: string): Place {
  const [, id = "", path = ""] = /^(lease_[^:/]*):(.*)$/s.exec(text) ?? [];
  if (id === "") return { leaseId: null, path: text };
  if (!isId("lease", id)) throw new InputError(`"${id}" is not the id of a lease; copy it whole`);
  return { leaseId: id, path };
}
