import type { Client } from "../../api/client/client.ts";
import { type Id, isId } from "../../unit/id.ts";
import { InputError } from "../../unit/quantity.ts";
import { CliError } from "../failure.ts";
import { listKnown } from "./known.ts";

/** Kinds whose ids may be typed short. */
export const SHORT_KINDS = ["lease", "bill", "offer", "run", "request", "code"] as const;
export type ShortKind = (typeof SHORT_KINDS)[number];

/** The verb that shows which ids there are. */
function listingOf(kind: ShortKind): string {
  return kind === "request" || kind === "code" ? "sublet capacity list" : `sublet ${kind} list`;
}

/** Fewer characters than these are a slip of the hand. */
const TYPED_MIN = 4;
/** Beyond these a list helps nobody. */
const CANDIDATES_MAX = 5;

/**
 * The id that was meant: whole, or as much of its beginning as is unique among what the caller may
 * see, with or without its prefix. A whole one is not looked up.
 */
export async function resolveId<P extends ShortKind>(
  client: Pick<Client, "call">,
  kind: P,
  typed: string,
): Promise<Id<P>> {
  if (isId(kind, typed)) return typed;
  const beginning = readBeginning(kind, typed);
  const known = await listKnown(client as Client, kind);
  const ids = known.flatMap(({ id = "" }) => (isId(kind, id) ? [id] : []));
  return chooseId(kind, beginning, ids);
}

/** Refuses what cannot be the beginning of such an id before anybody is asked. */
export function readBeginning(kind: ShortKind, typed: string): string {
  const body = typed.startsWith(`${kind}_`) ? typed.slice(kind.length + 1) : typed;
  if (/^[0-9a-hjkmnp-tv-z]{1,22}$/.test(body) && body.length >= TYPED_MIN) return `${kind}_${body}`;
  throw new InputError(
    `"${typed}" is not the id of a ${kind}, nor the beginning of one; copy at least ${TYPED_MIN} characters of it from \`${listingOf(kind)}\``,
  );
}

export function chooseId<P extends ShortKind>(
  kind: P,
  beginning: string,
  ids: readonly Id<P>[],
): Id<P> {
  const found = ids.filter((id) => id.startsWith(beginning));
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  if (only === undefined) {
    throw new CliError(
      "not-found",
      `no ${kind} of yours begins with ${beginning}; \`${listingOf(kind)}\` shows which there are`,
      { what: kind, id: beginning },
    );
  }
  const shown = found.slice(0, CANDIDATES_MAX).join(", ");
  const more = found.length > CANDIDATES_MAX ? ` and ${found.length - CANDIDATES_MAX} more` : "";
  throw new CliError(
    "ambiguous",
    `${found.length} ${kind}s begin with ${beginning}: ${shown}${more}; type more of the one that you mean`,
    { kind, typed: beginning, candidates: found },
  );
}
