import { InputError } from "../../unit/quantity.ts";

/** An ISO 4217 code: three capital letters. */
export function parseCurrency(text: string): string {
  if (/^[A-Z]{3}$/.test(text)) return text;
  throw new InputError(`"${text}" is not a currency's code; write it like EUR`);
}

/** A name of the time zone database. */
export function parseTimeZone(text: string): string {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: text }).resolvedOptions().timeZone;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new InputError(`"${text}" is not a time zone; write it like Europe/Berlin or UTC`);
  }
}
