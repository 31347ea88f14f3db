import type { Binaries } from "./binaries.ts";

/** Where PostgreSQL's numbers for the embedded server are chosen. Values are as in its manual. */
export const SETTINGS: Readonly<Record<string, string>> = {
  // No address: its bundled OpenSSL is old, and a socket in a private folder needs no password.
  listen_addresses: "",
  unix_socket_permissions: "0700",
  max_connections: "60",
  shared_buffers: "64MB",
  // What was acknowledged is on the disk. Bills rest on it.
  fsync: "on",
  synchronous_commit: "on",
  full_page_writes: "on",
  // LLVM is not in the package.
  jit: "off",
  max_wal_size: "512MB",
  timezone: "UTC",
  log_timezone: "UTC",
  lc_messages: "C",
  log_destination: "stderr",
  logging_collector: "off",
  log_min_duration_statement: "2s",
  log_line_prefix: "%m [%p] ",
  // A client that vanished must not keep its locks for the two hours that TCP takes.
  client_connection_check_interval: "10s",
  idle_in_transaction_session_timeout: "5min",
};

/** `-c name=value` for each setting. */
export function settingArguments(settings: Readonly<Record<string, string>>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}

/** Nothing of the caller's PG* variables and locale may reach PostgreSQL. */
export function cleanEnv(binaries: Binaries): Record<string, string> {
  return { PATH: process.env.PATH ?? "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC", ...binaries.env };
}
