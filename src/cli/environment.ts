import { homedir, tmpdir } from "node:os";
import { join } from "node:path";

/** Everything that the command line takes from the environment. Nothing else reads it. */
export interface Environment {
  /** Profiles, SSH keys and pinned host keys of the person who types. */
  readonly configFolder: string;
  /** Where a server or an agent keeps its data unless told otherwise. */
  readonly dataFolder: string;
  /** Where what can be made again is kept. */
  readonly cacheFolder: string;
  /** Where the agents of one computer find each other; gone with its next start. */
  readonly runFolder: string;
  readonly profile?: string;
  readonly server?: string;
  readonly key?: string;
  readonly databaseUrl?: string;
  readonly joinToken?: string;
  /** The mail server with its password, which no process list shall show. */
  readonly smtp?: string;
  readonly mailFrom?: string;
  /** `SUBLET_DEBUG`: print the stack of an unexpected error. */
  readonly debug: boolean;
  /** `NO_COLOR` (https://no-color.org): set and not empty. */
  readonly colourless: boolean;
  /** `FORCE_COLOR` (https://force-color.org): set, not empty and not 0. */
  readonly colourForced?: true;
  /** `TERM=dumb`: a terminal that shows escapes as they are. */
  readonly dumbTerminal?: true;
  /** A pipe that ends when the launcher that started this process is gone. */
  readonly launcherFd?: number;
}

/** Root's data belongs to the machine, anybody else's to themselves. */
export const SYSTEM_DATA_FOLDER = "/var/lib/sublet";

export function readEnvironment(env: NodeJS.ProcessEnv, uid = process.getuid?.()): Environment {
  const home = env.HOME || homedir();
  const config = env.XDG_CONFIG_HOME || join(home, ".config");
  const data = env.XDG_DATA_HOME || join(home, ".local", "share");
  const cache = env.XDG_CACHE_HOME || join(home, ".cache");
  const launcherFd = env.SUBLET_LAUNCHER_FD;
  return {
    configFolder: env.SUBLET_CONFIG || join(config, "sublet"),
    dataFolder: uid === 0 ? SYSTEM_DATA_FOLDER : join(data, "sublet"),
    cacheFolder: join(cache, "sublet"),
    runFolder: env.SUBLET_RUN || runFolderOf(env, uid),
    ...named("profile", env.SUBLET_AS),
    ...named("server", env.SUBLET_SERVER),
    ...named("key", env.SUBLET_KEY),
    ...named("databaseUrl", env.DATABASE_URL),
    ...named("joinToken", env.SUBLET_JOIN_TOKEN),
    ...named("smtp", env.SUBLET_SMTP),
    ...named("mailFrom", env.SUBLET_MAIL_FROM),
    debug: Boolean(env.SUBLET_DEBUG),
    colourless: Boolean(env.NO_COLOR),
    ...(env.FORCE_COLOR && env.FORCE_COLOR !== "0" ? { colourForced: true } : {}),
    ...(env.TERM === "dumb" ? { dumbTerminal: true } : {}),
    ...(launcherFd ? { launcherFd: Number(launcherFd) } : {}),
  };
}

/** Agents of different users see each other where root starts them; that is where lending is done. */
function runFolderOf(env: NodeJS.ProcessEnv, uid: number | undefined): string {
  if (uid === 0) return "/run/sublet";
  return env.XDG_RUNTIME_DIR
    ? join(env.XDG_RUNTIME_DIR, "sublet")
    : join(tmpdir(), `sublet-${uid ?? "run"}`);
}

/** The environment of this process. Another `sublet` that it starts has another launcher. */
export function processEnvironment(): Environment {
  const environment = readEnvironment(process.env);
  delete process.env.SUBLET_LAUNCHER_FD;
  return environment;
}

/** An empty variable is one that is not set. */
function named<K extends string>(name: K, value: string | undefined): { [P in K]?: string } {
  return value ? ({ [name]: value } as { [P in K]: string }) : {};
}
