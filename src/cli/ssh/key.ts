import { randomBytes } from "node:crypto";
import { access, readFile, rename, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import type { LeaseId } from "../../unit/id.ts";
import { makePrivateFolder, readIfThere, writePrivateFile } from "../config/private-file.ts";
import type { Context } from "../context.ts";
import { CliError } from "../failure.ts";
import { runQuietly } from "./programs.ts";

/** `ssh-ed25519 AAAA… comment`: the only kind that a lease takes. */
const PUBLIC_KEY = /^ssh-ed25519 [A-Za-z0-9+/=]+( [\x20-\x7e]*)?$/;

export interface ChosenKey {
  readonly sshPublicKey: string;
  /** Notes which private key opens this lease, where that is not the one of the login. */
  remember(leaseId: LeaseId): Promise<void>;
}

/** The person's own public key, or the one of this login, which is made when it is not there. */
export async function chosenKey(
  { environment: { configFolder } }: Context,
  profileName: string,
  publicKeyPath: string | undefined,
): Promise<ChosenKey> {
  const own = publicKeyPath === undefined ? undefined : resolve(publicKeyPath);
  const path = own ?? (await madeKey(configFolder, profileName));
  const sshPublicKey = await readPublicKey(path);
  return {
    sshPublicKey,
    remember: async (leaseId) => {
      if (own === undefined) return;
      await writePrivateFile(identityNote(configFolder, leaseId), own.replace(/\.pub$/, ""));
    },
  };
}

/** The private key that opens a lease: noted at its booking, else that of the login. */
export async function identityFor(
  configFolder: string,
  profileName: string,
  leaseId: LeaseId,
): Promise<string> {
  const noted = await readIfThere(identityNote(configFolder, leaseId));
  const path = noted ?? keyPath(configFolder, profileName);
  try {
    await access(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new CliError(
      "ssh-key-missing",
      `the private key ${path} is not here; name the one of this lease with --identity FILE`,
      { path },
    );
  }
  return path;
}

/** What is kept of one lease: which key opens it, and the pinned key of its guest. */
export function leaseFolder(configFolder: string, leaseId: LeaseId): string {
  return join(configFolder, "leases", leaseId);
}

/** Both halves appear at once, by a folder's rename: of two commands at a time one makes them. */
async function madeKey(configFolder: string, profileName: string): Promise<string> {
  const path = keyPath(configFolder, profileName);
  if ((await readIfThere(`${path}.pub`)) !== undefined) return `${path}.pub`;
  const draft = `${dirname(path)}.${randomBytes(6).toString("hex")}.new`;
  await makePrivateFolder(draft);
  try {
    const file = join(draft, basename(path));
    const comment = `sublet-${profileName}`;
    await runQuietly("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", file]);
    await rename(draft, dirname(path));
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    if (!["ENOTEMPTY", "EEXIST"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  }
  return `${path}.pub`;
}

async function readPublicKey(path: string): Promise<string> {
  const text = path.endsWith(".pub") ? (await readFile(path, "utf8").catch(noFile)).trim() : "";
  if (PUBLIC_KEY.test(text)) return text;
  throw new CliError(
    "ssh-key-unusable",
    `${path} is not the public half of an Ed25519 key; name a file like ~/.ssh/id_ed25519.pub, made by \`ssh-keygen -t ed25519\``,
    { path },
  );
}

function keyPath(configFolder: string, profileName: string): string {
  return join(configFolder, "ssh", profileName, "id_ed25519");
}

function identityNote(configFolder: string, leaseId: LeaseId): string {
  return join(leaseFolder(configFolder, leaseId), "identity");
}

function noFile(error: NodeJS.ErrnoException): string {
  if (error.code === "ENOENT") return "";
  throw error;
}
