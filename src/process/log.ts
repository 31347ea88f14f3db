import { type DestinationStream, type Logger, type LoggerOptions, pino } from "pino";

/** The part of pino's logger that is used. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
export type LogFormat = "json" | "lines";
export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

/** Logs go to standard error: standard output is for what a person asked for. */
export function createLog(format: LogFormat, level: LogLevel): Logger {
  const options: LoggerOptions = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  return format === "json"
    ? pino(options, pino.destination({ fd: 2, sync: true }))
    : pino(options, lineStream);
}

const LEVEL_NAMES: Readonly<Record<number, string>> = {
  20: "debug",
  30: "info ",
  40: "WARN ",
  50: "ERROR",
};

const lineStream: DestinationStream = {
  write(line) {
    const { level, time, msg, err, ...fields } = JSON.parse(line) as Record<string, unknown>;
    const shown = Object.entries(fields).map(([name, value]) => `${name}=${plain(value)}`);
    const failure = (err as { stack?: string } | undefined)?.stack;
    const words = [String(time).slice(11, 19), LEVEL_NAMES[Number(level)], msg, ...shown];
    process.stderr.write(`${words.join(" ")}\n${failure === undefined ? "" : `${failure}\n`}`);
  },
};

function plain(value: unknown): string {
  return typeof value === "string" && !/\s/.test(value) ? value : JSON.stringify(value);
}
