import type { LeaseView } from "../../api/contract/view.ts";
import type { LeaseId } from "../../unit/id.ts";

/** Where OpenSSH shall go, and by what it knows both ends. */
export interface Target {
  readonly leaseId: LeaseId;
  readonly access: Pick<NonNullable<LeaseView["access"]>, "address" | "port" | "user">;
  readonly identityFile: string;
  readonly knownHostsFile: string;
}

/** Half-dead connections end after this many seconds without an answer. */
const ALIVE_SECONDS = 15;
const CONNECT_SECONDS = 20;

/**
 * The same for ssh and scp. Nothing of the person's own configuration takes part: one key, one
 * pinned host key under the lease's name, no agent, no password, no question.
 */
function options({ leaseId, access, identityFile, knownHostsFile }: Target): string[] {
  const settings = [
    "StrictHostKeyChecking=yes",
    `UserKnownHostsFile=${quotedPath(knownHostsFile)}`,
    "GlobalKnownHostsFile=/dev/null",
    "UpdateHostKeys=no",
    `HostKeyAlias=${leaseId}`,
    `HostName=${access.address}`,
    `User=${access.user}`,
    `Port=${access.port}`,
    "IdentitiesOnly=yes",
    "IdentityAgent=none",
    "BatchMode=yes",
    "LogLevel=ERROR",
    `ConnectTimeout=${CONNECT_SECONDS}`,
    `ServerAliveInterval=${ALIVE_SECONDS}`,
  ];
  return ["-F", "/dev/null", "-i", identityFile, ...settings.flatMap((text) => ["-o", text])];
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

function quoted(argument: string): string {
  if (/^[A-Za-z0-9_@%+=:,./-]+$/.test(argument)) return argument;
  return `'${argument.replaceAll("'", `'\\''`)}'`;
}

/** ssh_config splits this option's value at spaces and expands `%`. */
function quotedPath(path: string): string {
  return `"${path.replaceAll("%", "%%")}"`;
}

/** scp takes what stands before the first colon for a host unless a slash comes first. */
function written({ leaseId, path }: Place): string {
  if (leaseId !== null) return `${leaseId}:${path}`;
  return path.includes("/") || !path.includes(":") ? path : `./${path}`;
}
