import { createWriteStream } from "node:fs";
import { connect as dial } from "node:net";
import type { Readable, Writable } from "node:stream";
import type { Context } from "./context.ts";
import { EXIT_OURS } from "./failure.ts";
import { connectFor } from "./naming/connect-for.ts";
import { type WayOptions, wayOptions, wayWanted } from "./run-verb.ts";
import { chooseWay } from "./ssh/choose-way.ts";
import { forgetEntry } from "./ssh/config-entry.ts";
import { readAccess } from "./ssh/way-in.ts";
import { verb } from "./verb.ts";

interface ProxyInput extends WayOptions {
  readonly lease: string;
}

export const sshProxyVerb = verb<ProxyInput>({
  usage: "ssh-proxy <lease>",
  summary: "Carry bytes between its input and output and a lease's SSH: a ProxyCommand.",
  examples: ["sublet ssh-proxy lease_01k9… --as study"],
  more: "As in `ssh -o ProxyCommand='sublet ssh-proxy lease_01k9…' root@guest`. `sublet ssh-config` writes it where ssh, scp, rsync and editors find it.",
  options: wayOptions(),
  failureExitCode: EXIT_OURS,
  run: async (context, { lease, ...wanted }) => {
    const { configFolder } = context.environment;
    const { client, id: leaseId } = await connectFor(context, "lease", lease);
    const told = endWithInput(context.stdin);
    const streams = { readable: context.stdin, writable: closable(context.stdout) };
    try {
      const access = await readAccess(client, configFolder, leaseId);
      const way = await chooseWay(
        { configFolder, clock: context.clock },
        access,
        wayWanted(wanted),
      );
      if (way === "direct") await straight(streams, access);
      else {
        const { throughRelay } = await import("./ssh/tunnel.ts");
        await throughRelay({ client, leaseId, ...streams });
      }
    } catch (error) {
      await forgetIfOver(configFolder, leaseId, error);
      throw error;
    } finally {
      told.stop();
      context.stdin.destroy();
    }
    return { json: undefined, text: "" };
  },
});

/** From ssh's end to that of our input it takes a moment; whoever keeps it open longer is stuck. */
const INPUT_ENDS_WITHIN_MS = 3_000;

/**
 * ssh tells its ProxyCommand to hang up when it ends, and closes its input. Hanging up at once would
 * leave the host waiting for a connection that never comes: the end of the input is told there first.
 */
function endWithInput(stdin: Context["stdin"]): { stop(): void } {
  let timer: NodeJS.Timeout | undefined;
  const hear = () => {
    timer ??= setTimeout(() => stdin.destroy(), INPUT_ENDS_WITHIN_MS);
  };
  const signals = ["SIGHUP", "SIGTERM", "SIGINT"] as const;
  for (const signal of signals) process.on(signal, hear);
  return {
    stop: () => {
      clearTimeout(timer);
      for (const signal of signals) process.off(signal, hear);
    },
  };
}

interface Streams {
  readonly readable: Readable;
  readonly writable: Writable;
}

/**
 * The process's own output never closes before the process ends, and ssh waits for that to learn
 * that the guest has gone.
 */
function closable(stdout: Context["stdout"]): Writable {
  const { fd } = stdout as { fd?: number };
  return fd === undefined ? stdout : createWriteStream("", { fd });
}

function straight(
  { readable, writable }: Streams,
  { address: host, port }: { readonly address: string; readonly port: number },
): Promise<void> {
  const socket = dial({ host, port, allowHalfOpen: true, noDelay: true });
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    writable.once("error", reject);
    socket.once("close", () => resolve());
    readable.pipe(socket).pipe(writable);
  });
}

/** The entry in ssh's configuration goes with its lease. */
async function forgetIfOver(configFolder: string, leaseId: string, error: unknown): Promise<void> {
  const { code, about } = error as { code?: unknown; about?: { state?: unknown } };
  const isOver =
    code === "lease-over" ||
    (code === "lease-not-ready" && (about?.state === "ending" || about?.state === "ended"));
  if (isOver) await forgetEntry(configFolder, leaseId);
}
