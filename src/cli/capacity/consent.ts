import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Option } from "commander";
import { CONSENT_NAMESPACE, consentStatement } from "../../enablement/capacity/consent.ts";
import { quantityText } from "../../enablement/capacity/resource.ts";
import { isId, type LeaseId } from "../../unit/id.ts";
import { InputError } from "../../unit/quantity.ts";
import { DEFAULT_PROFILE } from "../config/profile.ts";
import type { Context } from "../context.ts";
import { connectFor } from "../naming/connect-for.ts";
import { identityOption } from "../run-verb.ts";
import { identityFor } from "../ssh/key.ts";
import { runQuietly } from "../ssh/programs.ts";
import { verb } from "../verb.ts";
import { outputOption, written } from "./paper.ts";
import { amountOf, amountOptions, type TypedAmount } from "./wish.ts";

interface ConsentInput extends TypedAmount {
  readonly lease: string;
  readonly code: string;
  readonly identity?: string;
  readonly output?: string;
}

export const consent = verb<ConsentInput>({
  usage: "consent <lease>",
  summary: "Agree, as a lease's client, that its host's owner gives its guest more by one code.",
  examples: [
    "sublet capacity consent lease_01k9… --cpu 1 --code code_01k9… -o more.consent",
    "sublet capacity consent lease_01k9… --memory 256MiB --code code_01k9… --identity ~/.ssh/id_ed25519",
  ],
  more: "Signed with the SSH key that opens the lease; it counts for this lease, amount and code alone, and\nthe owner pays. The owner gives it to `sublet capacity enable --consent`.",
  options: [
    ...amountOptions(),
    new Option("--code <id>", "the code that the owner told you").makeOptionMandatory(),
    identityOption(),
    outputOption(),
  ],
  run: async (context, input) => {
    const amount = amountOf(input);
    if (amount === null) throw new InputError("say how much with --cpu 1 or --memory 256MiB");
    if (!isId("code", input.code)) {
      throw new InputError(`--code: "${input.code}" is not the id of a code; copy it whole`);
    }
    const { leaseId, identity } = await identityOf(context, input);
    const statement = consentStatement({ leaseId, codeId: input.code, ...amount });
    const signature = await signed(statement, identity);
    const json = { leaseId, codeId: input.code, ...amount, statement, signature };
    const { resource, quantity } = amount;
    const told = `agreed: ${quantityText(resource, quantity)} for ${leaseId} by ${input.code}`;
    return written(json, signature.trimEnd(), input.output, told);
  },
});

/** A whole id and a named key need no server. */
async function identityOf(
  context: Context,
  { lease, identity }: ConsentInput,
): Promise<{ readonly leaseId: LeaseId; readonly identity: string }> {
  if (isId("lease", lease) && identity !== undefined) {
    return { leaseId: lease, identity: resolve(identity) };
  }
  const { id: leaseId, profileName = DEFAULT_PROFILE } = await connectFor(context, "lease", lease);
  const { configFolder } = context.environment;
  const found = identity && resolve(identity);
  return { leaseId, identity: found ?? (await identityFor(configFolder, profileName, leaseId)) };
}

async function signed(statement: string, identity: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "sublet-consent-"));
  try {
    const file = join(folder, "consent");
    await writeFile(file, statement, { mode: 0o600 });
    await runQuietly("ssh-keygen", ["-Y", "sign", "-n", CONSENT_NAMESPACE, "-f", identity, file]);
    return await readFile(`${file}.sig`, "utf8");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
