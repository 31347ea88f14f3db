/**
 * The database could not be reached (it starts, recovers, ends, has no connection free), or the
 * connection broke: then only the database knows whether the query had an effect.
 */
export function isConnectionLost(error: unknown): boolean {
  const code = codeOf(error);
  // The unix socket is not there yet; any other missing file is not the database's.
  if (code === "ENOENT") return (error as NodeJS.ErrnoException).syscall === "connect";
  return LOSSES.has(code) || BROKEN.test(text(error));
}

/** The server's disk is full: PostgreSQL's word (disk_full), or the operating system's. */
export function isDiskFull(error: unknown): boolean {
  return ["53100", "ENOSPC", "EDQUOT"].includes(codeOf(error));
}

/** The database undid the transaction because of another one: the same work may succeed now. */
export function isConflict(error: unknown): boolean {
  return codeOf(error) === "40001" || codeOf(error) === "40P01";
}

const LOSSES = new Set([
  ...["ECONNREFUSED", "ECONNRESET", "EPIPE", "ETIMEDOUT"],
  // Connection exceptions; too many connections; shut down by a person, by a crash; not ready yet.
  ...["08000", "08003", "08006", "53300", "57P01", "57P02", "57P03"],
]);
const BROKEN =
  /Connection terminated|Client has encountered a connection error|not queryable|Connection ended|timeout exceeded when trying to connect/;

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : "";
}

/** What to log of an error: pg hangs the whole client on one, connection settings and all. */
export function errorFields(error: unknown): object {
  if (!(error instanceof Error)) return { error: String(error) };
  return { error: error.message, code: codeOf(error) || undefined };
}
