import type { Context } from "../context.ts";
import type { Screen } from "../surroundings.ts";

type Wishes = Pick<Context, "environment"> & { readonly common?: Context["common"] };

/**
 * What was typed goes before what is set, and a set "no" before a set "yes"; without either a
 * terminal that can is coloured and everything else is not.
 */
export function isColoured({ environment, common }: Wishes, screen: Screen): boolean {
  if (common?.color === false || environment.colourless) return false;
  return environment.colourForced ?? (Boolean(screen.isTTY) && !environment.dumbTerminal);
}
