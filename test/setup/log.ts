import type { DatabaseLog } from "../../src/database/log.ts";

/** Quiet, unless SUBLET_TEST_LOG asks to see what the code under test has to say. */
export const testLog: DatabaseLog = {
  info: (fields, message) => say("info", fields, message),
  warn: (fields, message) => say("warn", fields, message),
  error: (fields, message) => say("error", fields, message),
};

function say(level: string, fields: object, message: string): void {
  if (process.env.SUBLET_TEST_LOG === undefined) return;
  const shown = JSON.stringify(fields, (_key, value) =>
    value instanceof Error ? value.message : value,
  );
  process.stderr.write(`${level} ${message} ${shown}\n`);
}
