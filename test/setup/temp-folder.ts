import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface TempFolder {
  readonly path: string;
  remove(): void;
}

const PREFIX = "sublet-test-";

/**
 * A folder that is removed at this process's exit at the latest. What a killed run left is removed
 * by the next: the name holds the pid of its maker.
 */
export function makeTempFolder(purpose: string): TempFolder {
  for (const name of readdirSync(tmpdir())) {
    const pid = name.startsWith(PREFIX) ? name.slice(PREFIX.length).split("-")[0] : undefined;
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) removeFolder(join(tmpdir(), name));
  }
  const path = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-${purpose}-`));
  const remove = () => removeFolder(path);
  process.once("exit", remove);
  return { path, remove };
}

function removeFolder(path: string): void {
  rmSync(path, { recursive: true, force: true, maxRetries: 5 });
}
