import { join } from "node:path";
import { z } from "zod";
import type { LeaseView } from "../../api/contract/view.ts";
import { importPublicKey, type KeyRing, keyRing, type PublicJwk } from "../../signature/key.ts";
import { successorsOf } from "../../signature/succession.ts";
import type { HostId } from "../../unit/id.ts";
import { jwkSchema } from "../../unit/schema.ts";
import { readIfThere, writePrivateFile } from "../config/private-file.ts";
import { CliError } from "../failure.ts";

/** As much of `host/signed.ts`'s rotation as a client reads. */
const rotationSchema = z.looseObject({ iss: z.string(), newJwk: jwkSchema });

type AgentKeys = NonNullable<LeaseView["agentKeys"]>;

/** Whose word counts for what a host has signed. */
export interface PinnedAgent {
  readonly keys: KeyRing;
  readonly path: string;
  /** Keeps them, once they have proved to have signed something. */
  pin(): Promise<void>;
}

/**
 * The keys of a host's agent. At the first use those that the server shows are trusted, and pinned;
 * from then on a new key counts only when one that is pinned has let it in by its own signature.
 */
export async function pinnedAgent(
  configFolder: string,
  hostId: HostId,
  shown: AgentKeys,
): Promise<PinnedAgent> {
  const path = join(configFolder, "hosts", `${hostId}.json`);
  const pinned = await readPinned(path);
  const keys = pinned === undefined ? shown.map(({ jwk }) => importPublicKey(jwk)) : [...pinned];
  if (pinned !== undefined) {
    const statements = shown.flatMap(({ rotationJws }) => rotationJws ?? []);
    const said = { typ: "sublet-key-rotation", schema: rotationSchema, iss: hostId } as const;
    keys.push(...successorsOf(keyRing(pinned), statements, said));
  }
  const text = `${JSON.stringify({ version: 1, hostId, keys }, null, 2)}\n`;
  return {
    keys: keyRing(keys),
    path,
    pin: async () => {
      if (keys.length !== pinned?.length) await writePrivateFile(path, text);
    },
  };
}

async function readPinned(path: string): Promise<readonly PublicJwk[] | undefined> {
  const text = await readIfThere(path);
  if (text === undefined) return undefined;
  try {
    const { keys } = JSON.parse(text) as { keys: readonly unknown[] };
    return keys.map(importPublicKey);
  } catch {
    throw new CliError(
      "pinned-keys-damaged",
      `${path} cannot be read; it holds the keys of a host's agent as they were at first. Ask its lender whether the host is still the same, then remove the file`,
      { path },
    );
  }
}
