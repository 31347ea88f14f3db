import { createHash, randomBytes } from "node:crypto";
import { join } from "node:path";
import type { Client } from "../../api/client/client.ts";
import { readIfThere, writePrivateFile } from "../config/private-file.ts";
import { clientOf, connect } from "../connect.ts";
import type { Context } from "../context.ts";
import { CliError } from "../failure.ts";
import { parseServerUrl } from "../option/url.ts";
import { untilAnswered } from "../until-answered.ts";
import { verb } from "../verb.ts";
import { outputOption, pasteable, writePaper } from "./paper.ts";
import { readPasted } from "./pasted.ts";

export const claim = verb<{ number: string; output?: string }>({
  usage: "claim <number>",
  summary: "Fetch the code that a claim number stands for, once.",
  examples: [
    "sublet capacity claim 7H2KX-00000-4T9WR-YZ1Q8 -o h1.code",
    "sublet capacity claim 7h2kx000004t9wryz1q8 --server https://provider.example",
  ],
  more: "Hyphens, blanks and small letters are forgiven. On this computer it may be fetched again: an\nanswer can be lost.",
  options: [outputOption()],
  run: async (context, { number, output }) => {
    const claimed = await claimCode(context, readClaim(number));
    if (output === undefined) return { json: claimed, text: pasteable(claimed.codeJws) };
    const file = await writePaper(claimed.codeJws, output);
    return { json: { ...claimed, file }, text: `${claimed.codeId}\nwritten to ${output}` };
  },
});

export function readClaim(text: string): string {
  const pasted = readPasted(text);
  if (pasted.kind === "claim") return pasted.number;
  const message = "this is the code itself; enable it with `sublet capacity enable`";
  throw new CliError("claim-needless", message);
}

/** Asks with the same word again and again, also after a crash: the code is not lost with an answer. */
export async function claimCode(context: Context, number: string) {
  const { configFolder } = context.environment;
  const name = createHash("sha256").update(number).digest("hex").slice(0, 32);
  const path = join(configFolder, "claims", name);
  const kept = (await readIfThere(path))?.trim();
  const claimant = kept ?? randomBytes(24).toString("hex");
  if (kept === undefined) await writePrivateFile(path, `${claimant}\n`);
  const client = await clientForClaims(context);
  const send = () => client.call("claimCode", { body: { number, claimant } });
  const again = `sublet capacity claim ${number}`;
  return untilAnswered(context, send, { again, id: number });
}

/** Whoever has the number needs no login: `--server` alone is enough. */
async function clientForClaims(context: Context): Promise<Client> {
  const { common, environment } = context;
  const url = common.server ?? (common.as === undefined ? environment.server : undefined);
  const key = common.key ?? environment.key;
  if (url !== undefined && key === undefined) return clientOf(parseServerUrl(url), "");
  return (await connect(context)).client;
}
