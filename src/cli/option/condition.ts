import { Option } from "commander";
import { InputError } from "../../unit/quantity.ts";
import { parseWindows, type WeekWindow } from "../../unit/week.ts";
import { named } from "./quantity.ts";

export type Labels = Readonly<Record<string, string>>;

/** `--label region=eu`, as often as there are labels. */
export function labelOption(description: string): Option {
  return new Option("--label <name=value>", `${description}; may be repeated`).argParser(
    (text: string, before: Labels | undefined) => ({
      ...before,
      ...named("--label", () => readLabel(text)),
    }),
  );
}

function readLabel(text: string): Labels {
  const match = /^([a-z0-9][a-z0-9._-]{0,62})=([A-Za-z0-9][A-Za-z0-9._-]{0,62})$/.exec(text.trim());
  if (match?.[1] && match[2]) return { [match[1]]: match[2] };
  throw new InputError(`"${text}" is not a label; write it like region=eu`);
}

/** `--window "mon-fri 08:00-20:00"`, as often as there are windows. */
export function windowOption(): Option {
  const description = 'only within this weekly window, like "mon-fri 08:00-20:00"; may be repeated';
  return new Option("--window <days and times>", description).argParser(
    (text: string, before: readonly WeekWindow[] | undefined) => [
      ...(before ?? []),
      ...named("--window", () => parseWindows(text)),
    ],
  );
}

/** Names separated by commas. */
export function namesOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser((text: string) =>
    text.split(",").map((name) => name.trim()),
  );
}
