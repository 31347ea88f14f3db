import { mkdir } from "node:fs/promises";
import { join, relative } from "node:path";
import type { Play } from "./story.ts";

/** Of the clone, where the demo is played from one. */
const ROOT = join(import.meta.dirname, "../../..");

/**
 * All that checks a party's bills elsewhere, in a folder of what may be made again; it stays when
 * all else goes. Its path as seen from the repository, where it lies in it.
 */
export async function leaveExport(
  play: Play,
  name: string,
  party: readonly string[],
): Promise<string> {
  const { stage, teller, exportFolder } = play;
  const path = join(exportFolder, name);
  await mkdir(exportFolder, { recursive: true });
  const shown = relative(ROOT, path);
  const fact = shown.startsWith("..") ? path : shown;
  const typed = ["usage", "export", "--from", "1970-01-01T00:00Z", "--to", "now"];
  teller.say("All that checks these bills elsewhere is left in a file.");
  teller.command([...typed, "-o", fact, ...party]);
  await stage.verbs.do(...typed, "-o", path, ...party);
  return fact;
}
