import { connect } from "../connect.ts";
import type { Context } from "../context.ts";
import { CliError } from "../failure.ts";
import { type Kind, listKnown } from "./known.ts";
import { similar } from "./similar.ts";

/** As refusals call what is missing, and the list that has the right spelling. */
const KINDS: Readonly<Record<string, Kind>> = {
  host: "host",
  partition: "partition",
  "partition of yours": "partition",
  party: "party",
};

/**
 * A refusal because of a name that is not there, with the names that may have been meant. Anything
 * else comes back as it is, and so does this when nobody can be asked.
 */
export async function withSuggestion(context: Context, error: unknown): Promise<unknown> {
  const missing = missingName(error);
  if (missing === undefined) return error;
  const names = await missing.names(context).catch(() => []);
  const meant = similar(missing.typed, names);
  if (meant.length === 0) return error;
  const { code, about } = error as CliError;
  const message = `there is no ${missing.what} ${missing.typed} that you may see; did you mean ${meant.join(" or ")}?`;
  return new CliError(code, message, { ...about, didYouMean: meant });
}

interface Missing {
  readonly what: string;
  readonly typed: string;
  names(context: Context): Promise<readonly string[]>;
}

function missingName(error: unknown): Missing | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  const about = ("about" in error ? error.about : {}) as Readonly<Record<string, unknown>>;
  if (error.code === "image-unknown" && typeof about.os === "string") {
    const known = Array.isArray(about.known) ? about.known.map(String) : [];
    return { what: "operating system", typed: about.os, names: async () => known };
  }
  const kind = error.code === "not-found" ? KINDS[String(about.what)] : undefined;
  if (kind === undefined || typeof about.id !== "string") return undefined;
  return { what: kind, typed: about.id, names: (context) => namesOf(context, kind) };
}

async function namesOf(context: Context, kind: Kind): Promise<readonly string[]> {
  const { client } = await connect(context);
  const known = await listKnown(client, kind);
  return known.flatMap(({ name }) => (name === undefined ? [] : [name]));
}
