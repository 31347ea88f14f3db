import { type Id, type IdPrefix, isId } from "../../unit/id.ts";
import { InputError } from "../../unit/quantity.ts";

/** Reads an id of the wanted kind: what is not one never reaches the server. */
export function readId<P extends IdPrefix>(prefix: P, text: string): Id<P> {
  if (isId(prefix, text)) return text;
  throw new InputError(
    `"${text}" is not the id of a ${prefix}; copy it whole, like ${prefix}_01k… with 22 characters`,
  );
}
