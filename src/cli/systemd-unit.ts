import { join, relative, resolve } from "node:path";
import { SYSTEM_DATA_FOLDER } from "./environment.ts";

export interface UnitOf {
  readonly verb: "server" | "agent";
  /** The options as they were typed, without the verb. */
  readonly typed: readonly string[];
  /** By default the system's, whoever asks: systemd will start it. */
  readonly dataFolder: string | undefined;
}

/** The Node that runs this and the program that it runs: wherever they are installed. */
const PROGRAM = [
  process.execPath,
  join(import.meta.dirname, `main${import.meta.filename.endsWith(".ts") ? ".ts" : ".js"}`),
];

/** Known once: the token to join, a further key, and what is of this call alone. */
const NOT_REPEATED = new Set(["--print-unit", "--new-operator-key", "--json", "--no-color"]);
const NOT_REPEATED_WITH_VALUE = new Set(["--join", "--data"]);

/** A systemd unit that runs the verb from where it is installed, with the options of this call. */
export function systemdUnit({ verb, typed, dataFolder }: UnitOf): string {
  const data = resolve(dataFolder ?? join(SYSTEM_DATA_FOLDER, verb));
  const command = [...PROGRAM, verb, "--data", data, ...repeated(typed)];
  const sections: [string, readonly string[]][] = [
    ["Unit", UNIT[verb]],
    ["Service", [`ExecStart=${command.map(quoted).join(" ")}`, ...SERVICE[verb](data)]],
    ["Install", ["WantedBy=multi-user.target"]],
  ];
  return sections.map(([name, lines]) => [`[${name}]`, ...lines, ""].join("\n")).join("\n");
}

function repeated(typed: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i < typed.length; i++) {
    const word = typed[i] ?? "";
    if (NOT_REPEATED.has(word)) continue;
    if (NOT_REPEATED_WITH_VALUE.has(word)) i++;
    else if (!NOT_REPEATED_WITH_VALUE.has(word.split("=")[0] ?? "")) kept.push(word);
  }
  return kept;
}

/** systemd.syntax(7): quotes and backslashes are its own, `%` is a specifier, `$` a variable. */
function quoted(word: string): string {
  const escaped = word.replace(/["\\]/g, "\\$&").replaceAll("%", "%%").replaceAll("$", "$$$$");
  return /^[\w@/:.,+=[\]-]+$/.test(escaped) ? escaped : `"${escaped}"`;
}

const network = ["Wants=network-online.target", "After=network-online.target time-sync.target"];
/** Started again for ever: a server that waits for its disk, an agent that waits for its network. */
const UNIT = {
  server: ["Description=Sublet server", ...network, "StartLimitIntervalSec=0"],
  agent: ["Description=Sublet agent", ...network, "StartLimitIntervalSec=0"],
};

/** From two seconds to a minute; before systemd 254, which does not know the steps, two seconds. */
const restart = ["Restart=always", "RestartSec=2s", "RestartSteps=5", "RestartMaxDelaySec=60s"];
const hardened = [
  "UMask=0077",
  "NoNewPrivileges=yes",
  "ProtectHome=read-only",
  "ProtectHostname=yes",
  "LockPersonality=yes",
  "RestrictRealtime=yes",
  "RestrictSUIDSGID=yes",
  "SystemCallArchitectures=native",
];

const SERVICE = {
  server: (data: string) => [
    "Type=exec",
    "User=sublet",
    "EnvironmentFile=-/etc/sublet/server.env",
    ...restart,
    // It tells its PostgreSQL itself, in order; what is left after that is ended.
    "KillMode=mixed",
    "TimeoutStopSec=60s",
    ...hardened,
    "ProtectSystem=strict",
    // Below /var/lib systemd makes the folder and gives it to the user.
    data.startsWith("/var/lib/")
      ? `StateDirectory=${quoted(relative("/var/lib", data))}`
      : `ReadWritePaths=${quoted(data)}`,
    "PrivateTmp=yes",
    "PrivateDevices=yes",
    "ProtectClock=yes",
    "ProtectControlGroups=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "CapabilityBoundingSet=",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
  ],
  agent: (data: string) => [
    "Type=exec",
    "EnvironmentFile=-/etc/sublet/agent.env",
    ...restart,
    // The agent alone is told and ended. Guests go on, and the next agent finds them.
    "KillMode=process",
    "TimeoutStopSec=60s",
    // A guest that meets its memory limit is that guest's matter.
    "OOMPolicy=continue",
    "TasksMax=infinity",
    // Guests have control groups beside the agent's own: in the slice, or, from systemd 254 on, in
    // the unit's own delegated group. The weights make systemd hand down the controllers.
    "Slice=sublet.slice",
    "Delegate=yes",
    "DelegateSubgroup=agent",
    "CPUWeight=100",
    "MemoryAccounting=yes",
    // No private /tmp, devices or control groups: guests live on with what they were started in.
    ...hardened,
    "ProtectSystem=full",
    ...(/^\/(home|root)\//.test(data) ? [`ReadWritePaths=${quoted(data)}`] : []),
  ],
};
