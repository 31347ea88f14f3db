import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface TempFolder {
  readonly path: string;
  remove(): void;
}

/** Set by the run's own process before it starts the workers, which inherit it. */
const RUN_FOLDER = "SUBLET_TEST_FOLDER";

/** A folder within the run's one, which is gone soon after the run, however that ended. */
export function makeTempFolder(purpose: string): TempFolder {
  const path = mkdtempSync(join(process.env[RUN_FOLDER] ?? makeRunFolder(), `${purpose}-`));
  return { path, remove: () => removeFolder(path) };
}

function makeRunFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "sublet-test-"));
  process.env[RUN_FOLDER] = folder;
  process.once("exit", () => removeFolder(folder));
  removeWhenDead(folder);
  return folder;
}

/**
 * A run that is interrupted or killed leaves workers that go on writing for a moment. This process
 * outlives them: its input ends when ours does, and then it removes the folder until it stays away.
 */
function removeWhenDead(folder: string): void {
  const script = 'read -r _; for _ in 1 2 3 4 5; do rm -rf -- "$1"; sleep 1; done; rm -rf -- "$1"';
  const watcher = spawn("sh", ["-c", script, "sh", folder], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  watcher.unref();
  (watcher.stdin as Socket | null)?.unref();
}

/** Retries, since a process that is just ending may still write into it. */
function removeFolder(path: string): void {
  rmSync(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
}
