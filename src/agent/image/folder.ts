import { join } from "node:path";
import type { AgentContext } from "../context.ts";

/** The agent's copies of image parts: one file a part, named by its digest. */
export function cacheFolder(context: AgentContext): string {
  return join(context.config.dataFolder, "images");
}

export function fileNameOf(digest: string): string {
  return digest.replace(":", "-");
}

/** What a download that was interrupted has so far. */
export const PARTIAL_SUFFIX = ".partial";
