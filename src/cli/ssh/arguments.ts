import type { LeaseView } from "../../api/contract/view.ts";
import type { LeaseId } from "../../unit/id.ts";

/** Where OpenSSH shall go, and by what it knows both ends. */
export interface Target {
  readonly leaseId: LeaseId;
  readonly access: Pick<NonNullable<LeaseView["access"]>, "address" | "port" | "user">;
  readonly identityFile: string;
  readonly knownHostsFile: string;
  /** What OpenSSH talks through; without it, it dials the access itself. */
  readonly proxyCommand?: string;
}

/** Half-dead connections end after this many seconds without an answer. */
const ALIVE_SECONDS = 15;
const CONNECT_SECONDS = 20;
/** Longer than a tunnel that lost its connection waits to be continued: see `tunnel.ts`. */
const RELAY_SECONDS = 120;

/**
 * The same for ssh and scp. Nothing of the person's own configuration takes part: one key, one
 * pinned host key under the lease's name, no agent, no password; it may ask for a passphrase.
 */
function options(target: Target): string[] {
  const settings = sshSettings(target).map(([name, value]) => `${name}=${value}`);
  return ["-F", "/dev/null", ...settings.flatMap((text) => ["-o", text])];
}

/** As options of a command line and as lines of a configuration: OpenSSH reads them alike. */
export function sshSettings(target: Target): [name: string, value: string][] {
  const { leaseId, access, identityFile, knownHostsFile, proxyCommand } = target;
  return [
    ["StrictHostKeyChecking", "yes"],
    ["UserKnownHostsFile", `"${unexpanded(knownHostsFile)}"`],
    ["GlobalKnownHostsFile", "/dev/null"],
    ["UpdateHostKeys", "no"],
    ["HostKeyAlias", leaseId],
    ["HostName", unexpanded(access.address)],
    ["User", access.user],
    ["Port", String(access.port)],
    // Not as -i, which looks for the file before it puts values for `%h` and the like.
    ["IdentityFile", `"${unexpanded(identityFile)}"`],
    ["IdentitiesOnly", "yes"],
    ["IdentityAgent", "none"],
    ["PreferredAuthentications", "publickey"],
    ["LogLevel", "ERROR"],
    ["ConnectTimeout", String(CONNECT_SECONDS)],
    ["ServerAliveInterval", String(ALIVE_SECONDS)],
    ...(proxyCommand === undefined
      ? []
      : [
          ["ProxyCommand", unexpanded(proxyCommand)] as [string, string],
          // A server that restarts is waited for: see `tunnel/`.
          ["ServerAliveCountMax", String(RELAY_SECONDS / ALIVE_SECONDS)] as [string, string],
        ]),
  ];
}

/** Arguments for ssh. Without a command it is a session at a terminal. */
export function sshArguments(
  target: Target,
  command: readonly string[],
  terminal: "always" | "never" | "as-ssh-does",
): string[] {
  const flags = { always: ["-t", "-t"], never: ["-T"], "as-ssh-does": [] }[terminal];
  const remote = command.length === 0 ? [] : [remoteCommand(command)];
  return [...options(target), ...flags, "--", target.leaseId, ...remote];
}

/** Arguments for scp, which uses SFTP: no shell reads the remote path. */
export function scpArguments(target: Target, from: Place, to: Place, recursive: boolean): string[] {
  return [...options(target), ...(recursive ? ["-r"] : []), "--", written(from), written(to)];
}

/** A path here, or one in the guest of a lease. */
export interface Place {
  readonly leaseId: LeaseId | null;
  readonly path: string;
}

/**
 * One text for the guest's shell. Several arguments stay the arguments that they were; a single
 * one is a line for the shell, as with ssh.
 */
export function remoteCommand(command: readonly string[]): string {
  const [only] = command;
  return command.length === 1 && only !== undefined ? only : command.map(quoted).join(" ");
}

/** One word to a shell, whatever characters it has. */
export function quoted(argument: string): string {
  if (/^[A-Za-z0-9_@%+=:,./-]+$/.test(argument)) return argument;
  return `'${argument.replaceAll("'", `'\\''`)}'`;
}

/** OpenSSH puts its own values for `%h` and the like. */
function unexpanded(text: string): string {
  return text.replaceAll("%", "%%");
}

/** scp takes what stands before the first colon for a host unless a slash comes first. */
function written({ leaseId, path }: Place): string {
  if (leaseId !== null) return `${leaseId}:${path}`;
  return path.includes("/") || !path.includes(":") ? path : `./${path}`;
}
