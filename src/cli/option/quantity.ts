import { Option } from "commander";
import { parsePriceMicrosPerHour } from "../../unit/money.ts";
import { InputError, parseBytes, parseCpu, parseDurationSeconds } from "../../unit/quantity.ts";

/** An option whose text is read strictly; what is not understood names the option. */
export function quantity(
  flags: string,
  description: string,
  parse: (text: string) => unknown,
): Option {
  const option = new Option(flags, description);
  return option.argParser((text: string) => named(option.long ?? flags, () => parse(text)));
}

export function cpu(flags: string, description: string): Option {
  return quantity(flags, description, parseCpu);
}

export function bytes(flags: string, description: string): Option {
  return quantity(flags, description, parseBytes);
}

export function duration(flags: string, description: string): Option {
  return quantity(flags, description, parseDurationSeconds);
}

export function price(flags: string, description: string): Option {
  return quantity(flags, description, parsePriceMicrosPerHour);
}

/** Runs a reader and puts the option's or argument's name before its complaint. */
export function named<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof InputError) throw new InputError(`${name}: ${error.message}`);
    throw error;
  }
}
