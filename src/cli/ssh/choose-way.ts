import { connect } from "node:net";
import { join } from "node:path";
import type { LeaseView } from "../../api/contract/view.ts";
import type { Clock } from "../../unit/clock.ts";
import { readIfThere, writePrivateFile } from "../config/private-file.ts";
import { leaseFolder } from "./key.ts";
import { scanHostKey } from "./programs.ts";
import type { WayWanted } from "./proxy-command.ts";

type Access = NonNullable<LeaseView["access"]>;

/** A host that is there answers at once; one that is not costs this long, and then is remembered. */
const DIAL_MS = 1_000;
/** A guest under emulation takes a while for its half of the key exchange. */
const SCAN_SECONDS = 2;
/** The guest's key was seen there: until then, that somebody listens is enough. */
const DIRECT_MS = 10 * 60_000;
/** Laptops move; what was out of reach may be near soon. */
const RELAY_MS = 60_000;

/**
 * Direct where the guest itself answers at its address, which is asked for by its pinned key: on
 * another computer 127.0.0.1 is somebody else. What was found is remembered for a while.
 */
export async function chooseWay(
  input: { readonly configFolder: string; readonly clock: Clock },
  access: Access,
  wanted: WayWanted,
): Promise<"direct" | "relay"> {
  if (wanted !== "auto") return wanted;
  if (access.direct === false) return "relay";
  const path = join(leaseFolder(input.configFolder, access.leaseId), "way");
  const nowMs = input.clock.now().getTime();
  const known = readNote(await readIfThere(path), access, nowMs);
  if (known === "relay") return "relay";
  const isThere = (await isListening(access)) && (known === "direct" || (await isGuest(access)));
  const way = isThere ? "direct" : "relay";
  if (way !== known) await writePrivateFile(path, `${way} ${nowMs} ${placeOf(access)}\n`);
  return way;
}

function readNote(
  text: string | undefined,
  access: Access,
  nowMs: number,
): "direct" | "relay" | undefined {
  const [way, atMs, place] = text?.trim().split(" ") ?? [];
  if (place !== placeOf(access) || (way !== "direct" && way !== "relay")) return undefined;
  const ageMs = nowMs - Number(atMs);
  const keptMs = way === "direct" ? DIRECT_MS : RELAY_MS;
  return ageMs >= 0 && ageMs < keptMs ? way : undefined;
}

function placeOf({ address, port }: Access): string {
  return `${address}:${port}`;
}

function isListening({ address: host, port }: Access): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(DIAL_MS, () => end(false));
    socket.once("connect", () => end(true));
    socket.once("error", () => end(false));
  });
}

async function isGuest({ address, port, hostKey }: Access): Promise<boolean> {
  return (await scanHostKey(address, port, SCAN_SECONDS)) === hostKey;
}
