import { Option } from "commander";
import type { BillVerification } from "../billing/verify/verify-bill.ts";
import { isId } from "../unit/id.ts";
import { readIfThere } from "./config/private-file.ts";
import type { PublicJwk as PinnedJwk } from "./config/profile.ts";
import { chosenProfile } from "./connect.ts";
import type { Context } from "./context.ts";
import { CliError, EXIT_REFUSED } from "./failure.ts";
import { connectFor } from "./naming/connect-for.ts";
import { money } from "./output/words.ts";
import { verb } from "./verb.ts";

export const billVerifyVerb = verb<{ billOrFile: string; withoutPins?: true }>({
  usage: "verify <billOrFile>",
  summary: "Recompute a bill from the signed records; exit 1 when it is not what they say.",
  examples: [
    "sublet bill verify bill_01k9…",
    "sublet bill verify ./bill.json",
    "sublet bill verify ./bill.json --without-pins",
  ],
  more: "A file is checked without the server, by the keys that were pinned at your login.",
  options: [
    new Option("--without-pins", "a file by the keys that it brings itself, which prove less"),
  ],
  run: async (context, { billOrFile, withoutPins }) => {
    const { exported, serverKeys } = (await isBill(billOrFile))
      ? await fetchExport(context, billOrFile)
      : await readExport(context, billOrFile, withoutPins ?? false);
    const { verifyBill } = await import("../billing/verify/verify-bill.ts");
    const { importPublicKey } = await import("../signature/key.ts");
    const trustedServerKeys = serverKeys?.map((key) => importPublicKey(key));
    const result = verifyBill(exported, trustedServerKeys ? { trustedServerKeys } : {});
    return {
      json: { bill: billOrFile, ...result },
      text: verificationText(billOrFile, result, exported),
      exitCode: result.verified ? 0 : EXIT_REFUSED,
    };
  },
});

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
  const exported = await client.call("exportBill", { params: { billId } });
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
  const serverKeys = unpinned ? null : (await pinnedKeys(context)).serverKeys;
  return { exported: parse(path, text), serverKeys };
}

async function pinnedKeys(context: Context) {
  try {
    return await chosenProfile(context);
  } catch (error) {
    if (!(error instanceof CliError) || error.code !== "not-logged-in") throw error;
    throw new CliError(
      "no-pinned-keys",
      `${error.message}; or check the file by its own keys with --without-pins`,
      error.about,
    );
  }
}

function verificationText(bill: string, result: BillVerification, exported: unknown): string {
  const { verified, checked, findings, totalMicros } = result;
  const differs = findings.filter(({ severity }) => severity === "differs");
  const unproven = findings.filter(({ severity }) => severity === "cannot-prove");
  const total = totalMicros === null ? "" : `, ${money(totalMicros, currencyOf(exported))}`;
  return [
    ...checked.map((sentence) => `  holds         ${sentence}`),
    ...differs.map(({ where, message, code }) => `  differs       ${where}: ${message} (${code})`),
    ...unproven.map(({ message }) => `  not provable  ${message}`),
    verified ? `${bill} is verified${total}` : `${bill} is NOT verified`,
  ].join("\n");
}

/** Only asked when the export could be read. */
function currencyOf(exported: unknown): string {
  return (exported as { bill: { tariff: { currency: string } } }).bill.tariff.currency;
}

function parse(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const why = (error as SyntaxError).message;
    throw new CliError(
      "no-bill",
      `${path} is not an exported bill (${why}); write one with \`sublet bill export BILL --output FILE\``,
      { path },
    );
  }
}
