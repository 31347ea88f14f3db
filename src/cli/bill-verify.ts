import { Option } from "commander";
import type { BillVerification } from "../billing/verify/verify-bill.ts";
import { unwrapPasted } from "../signature/envelope.ts";
import type { PublicJwk } from "../signature/key.ts";
import { isId } from "../unit/id.ts";
import { readPaper } from "./capacity/paper.ts";
import { readIfThere } from "./config/private-file.ts";
import type { PublicJwk as PinnedJwk } from "./config/profile.ts";
import { chosenProfile } from "./connect.ts";
import type { Context } from "./context.ts";
import { CliError, EXIT_REFUSED } from "./failure.ts";
import { connectFor } from "./naming/connect-for.ts";
import { money } from "./output/words.ts";
import { verb } from "./verb.ts";

interface VerifyInput {
  readonly billOrFile: string;
  readonly withoutPins?: true;
  readonly providerCard?: readonly string[];
}

export const billVerifyVerb = verb<VerifyInput>({
  usage: "verify <billOrFile>",
  summary: "Recompute bills from the signed records; exit 1 when they are not what those say.",
  examples: [
    "sublet bill verify bill_01k9…",
    "sublet bill verify ./usage.json",
    "sublet bill verify ./usage.json --without-pins",
    "sublet bill verify ./capacity.json --provider-card acme.card",
  ],
  more: "A file is checked with no server and no database: by the keys that were pinned at your login, or without a login by its own, which proves less and is said.",
  options: [
    new Option("--without-pins", "a file by the keys that it brings itself, which prove less"),
    new Option("--provider-card <file...>", "of capacity: the card that its provider gave you"),
  ],
  run: async (context, { billOrFile, withoutPins, providerCard = [] }) => {
    const trustedProviderKeys = await readCards(context, providerCard);
    const { exported, serverKeys } = (await isBill(billOrFile))
      ? await fetchExport(context, billOrFile)
      : await readExport(context, billOrFile, withoutPins ?? false);
    const { verifyBill } = await import("../billing/verify/verify-bill.ts");
    const { importPublicKey } = await import("../signature/key.ts");
    const trustedServerKeys = serverKeys?.map((key) => importPublicKey(key));
    const pinned = trustedServerKeys ? { trustedServerKeys } : {};
    const result = verifyBill(exported, { ...pinned, trustedProviderKeys });
    return {
      json: { bill: billOrFile, ...result },
      text: verificationText(billOrFile, result),
      exitCode: result.verified ? 0 : EXIT_REFUSED,
    };
  },
});

/** The keys of providers, by the cards that they gave. */
async function readCards(context: Context, files: readonly string[]) {
  const { decideTrust } = await import("../enablement/capacity/trust.ts");
  const keys = new Map<string, readonly PublicJwk[]>();
  for (const file of files) {
    const trust = decideTrust(unwrapPasted(await readPaper(context, file)), () => null);
    if (!trust.ok) throw new CliError(trust.code, `${file}: ${trust.message}`, { file });
    keys.set(trust.provider.providerId, trust.provider.keys);
  }
  return keys;
}

interface Evidence {
  readonly exported: unknown;
  /** Null: only those in the export. */
  readonly serverKeys: readonly PinnedJwk[] | null;
}

/** A file of that name goes before the beginning of an id. */
async function isBill(text: string): Promise<boolean> {
  if (isId("bill", text)) return true;
  return /^bill_[0-9a-z]{4,}$/.test(text) && (await readIfThere(text)) === undefined;
}

async function fetchExport(context: Context, bill: string): Promise<Evidence> {
  const { client, profile, id: billId } = await connectFor(context, "bill", bill);
  const exported = await client.call("exportUsage", { query: { billId } });
  // Without a login nothing is pinned: the keys that a server shows with its bill prove no more
  // than those in the bill.
  return { exported, serverKeys: profile?.serverKeys ?? null };
}

async function readExport(context: Context, path: string, unpinned: boolean): Promise<Evidence> {
  const text = await readIfThere(path);
  if (text === undefined) {
    throw new CliError(
      "no-bill",
      `${path} is neither the id of a bill nor a file that is here; \`sublet bill list\` shows the bills`,
      {
        path,
      },
    );
  }
  const serverKeys = unpinned ? null : await pinnedKeys(context);
  return { exported: parse(path, text), serverKeys };
}

/** Null without a login: then the file counts by its own keys, and what they do not prove is said. */
async function pinnedKeys(context: Context): Promise<readonly PinnedJwk[] | null> {
  try {
    return (await chosenProfile(context)).serverKeys;
  } catch (error) {
    if (!(error instanceof CliError) || error.code !== "not-logged-in") throw error;
    const named = context.common.as ?? context.environment.profile;
    // A login that was asked for by name is not left out in silence.
    if (named !== undefined) throw error;
    return null;
  }
}

function verificationText(bill: string, result: BillVerification): string {
  const { verified, checked, findings, bills, totalMicros, currency } = result;
  const differs = findings.filter(({ severity }) => severity === "differs");
  const unproven = findings.filter(({ severity }) => severity === "cannot-prove");
  const count = bills.length === 1 ? "" : ` in ${bills.length} bills`;
  const total =
    totalMicros === null || currency === null ? "" : `, ${money(totalMicros, currency)}${count}`;
  return [
    ...checked.map((sentence) => `  holds         ${sentence}`),
    ...differs.map(({ where, message, code }) => `  differs       ${where}: ${message} (${code})`),
    ...new Set(unproven.map(({ message }) => `  not provable  ${message}`)),
    verified ? `${bill} is verified${total}` : `${bill} is NOT verified`,
  ].join("\n");
}

function parse(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const why = (error as SyntaxError).message;
    throw new CliError(
      "no-bill",
      `${path} is not an exported bill (${why}); write one with \`sublet usage export --bill BILL -o FILE\``,
      { path },
    );
  }
}
