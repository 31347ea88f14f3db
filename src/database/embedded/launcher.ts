import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import type { Binaries } from "./binaries.ts";
import { EmbeddedPostgresError } from "./error.ts";
import { cleanEnv } from "./settings.ts";

/**
 * How PostgreSQL, which refuses to run as root, is run here.
 * - `direct`: not root, nothing to do.
 * - `userns`: in a user namespace where we have another number; needs no user, no readable install.
 * - `fallback`: root without user namespaces; an unprivileged uid owns the cluster.
 * - `auto`: the first that a trial shows to work.
 */
export type EmbeddedMode = "auto" | "direct" | "userns" | "fallback";

export interface Launcher {
  readonly mode: Exclude<EmbeddedMode, "auto">;
  readonly title: string;
  /** Owner of the cluster's files, as seen from outside. */
  readonly uid: number;
  readonly gid: number;
  /** Program and arguments that run what follows them and end it when this process dies. */
  readonly server: readonly string[];
  readonly initdb: readonly string[];
}

/** Chosen between Debian's ranges for people and for services; PostgreSQL needs no passwd entry. */
const DEDICATED_ID = 59_432;
/** initdb, unlike postgres, asks passwd for its user's name; everybody's passwd has nobody. */
const NOBODY_ID = 65_534;

/** Launchers worth trying here, best first. Throws where a forced mode cannot be. */
export function launchers(mode: EmbeddedMode, uid = process.getuid?.() ?? -1): Launcher[] {
  const gid = process.getgid?.() ?? -1;
  if (uid !== 0) {
    if (mode === "fallback") {
      throw new EmbeddedPostgresError("cannot-start", "Only root can use the fallback mode.");
    }
    const all = hasName(uid) ? [direct(uid, gid), userns(uid, gid)] : [userns(uid, gid)];
    return mode === "auto" ? all : all.filter((one) => one.mode === mode);
  }
  if (mode === "direct") {
    throw new EmbeddedPostgresError(
      "cannot-start",
      "PostgreSQL refuses to run as root directly: use the mode auto.",
    );
  }
  // Without the right to read past closed folders nothing under /root can be reached. Containers
  // seldom have the narrower capability and mostly have the wider one.
  const fallbacks = [[], ["dac_read_search"], ["dac_override"]].map(fallback);
  return [userns(uid, gid), ...fallbacks].filter((one) => mode === "auto" || one.mode === mode);
}

/** Undefined when it works: runs PostgreSQL's binary and can write in the folder. Else the reason. */
export function tryLauncher(one: Launcher, binaries: Binaries, folder: string): string | undefined {
  const script = 'test -w "$2" && cd "$2" && exec "$1" --version';
  const [program = "", ...args] = one.server;
  const result = spawnSync(
    program,
    [...args, "sh", "-c", script, "sh", binaries.postgres, folder],
    {
      encoding: "utf8",
      env: cleanEnv(binaries),
      timeout: 10_000,
    },
  );
  if (result.status === 0) return undefined;
  const said = result.error?.message ?? result.stderr.trim().split("\n").at(-1);
  return `${one.title}: ${said || `cannot write in ${folder}`}`;
}

function direct(uid: number, gid: number): Launcher {
  return {
    mode: "direct",
    title: "directly",
    uid,
    gid,
    server: ["setpriv", "--pdeathsig", "INT", "--"],
    initdb: ["setpriv", "--pdeathsig", "KILL", "--"],
  };
}

function userns(uid: number, gid: number): Launcher {
  const id = `--map-user=${NOBODY_ID}`;
  const group = `--map-group=${NOBODY_ID}`;
  return {
    mode: "userns",
    title: "in a user namespace",
    uid,
    gid,
    server: ["unshare", "--user", id, group, "setpriv", "--pdeathsig", "INT", "--"],
    initdb: ["unshare", "--user", id, group, "setpriv", "--pdeathsig", "KILL", "--"],
  };
}

function fallback(capabilities: readonly string[]): Launcher {
  const raised = capabilities.flatMap((name) => [`--inh-caps=+${name}`, `--ambient-caps=+${name}`]);
  // setpriv asks for the signal after it has changed the uid, which would have cleared the wish.
  const as = (uid: number, signal: string) => [
    "setpriv",
    ...[`--reuid=${uid}`, `--regid=${DEDICATED_ID}`, "--clear-groups", ...raised],
    ...["--pdeathsig", signal, "--"],
  ];
  return {
    mode: "fallback",
    title: `as uid ${DEDICATED_ID}${capabilities.map((name) => ` with ${name}`).join("")}`,
    uid: DEDICATED_ID,
    gid: DEDICATED_ID,
    server: as(DEDICATED_ID, "INT"),
    initdb: as(NOBODY_ID, "KILL"),
  };
}

function hasName(uid: number): boolean {
  const passwd = readFileSync("/etc/passwd", "utf8");
  return passwd.split("\n").some((line) => line.split(":")[2] === String(uid));
}
