import { closeSync, constants, openSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { basename, dirname } from "node:path";
import { parseQmpLine, type QmpMessage, splitLines } from "./qmp-message.ts";

export interface QmpCommand {
  readonly execute: string;
  readonly arguments?: Readonly<Record<string, unknown>>;
}

/**
 * Opens a control connection, runs the commands in order, closes it, and gives their results.
 * QEMU serves one connection at a time, so each is short and those to one socket queue here.
 */
export function qmp(
  socketPath: string,
  commands: readonly QmpCommand[],
  timeoutMs: number,
): Promise<unknown[]> {
  const earlier = queues.get(socketPath) ?? Promise.resolve();
  const exchange = earlier.then(() => exchangeOnce(socketPath, commands, timeoutMs));
  const settled = exchange.then(
    () => undefined,
    // Whoever asked has the error; the next in the queue only waits for the end.
    () => undefined,
  );
  queues.set(socketPath, settled);
  void settled.then(() => {
    if (queues.get(socketPath) === settled) queues.delete(socketPath);
  });
  return exchange;
}

export class QmpError extends Error {
  override readonly name = "QmpError";
}

const queues = new Map<string, Promise<void>>();

/** The largest honest answer is the console's ring in base64; more is a process gone mad. */
const ANSWER_BYTES_MAX = 2 * 1024 * 1024;

/** sockaddr_un holds 107 bytes and an end mark. */
const SOCKET_PATH_BYTES_MAX = 107;

async function exchangeOnce(
  socketPath: string,
  commands: readonly QmpCommand[],
  timeoutMs: number,
): Promise<unknown[]> {
  const { socket, release } = openSocket(socketPath);
  const pending: QmpCommand[] = [{ execute: "qmp_capabilities" }, ...commands];
  const results: unknown[] = [];
  try {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new QmpError("QEMU did not answer")), timeoutMs);
      const finish = (error?: Error) => {
        clearTimeout(timer);
        if (error === undefined) resolve();
        else reject(error);
      };
      const onMessage = (message: QmpMessage) => {
        if (message.kind === "event") return;
        if (message.kind === "error") return finish(new QmpError(message.description));
        if (message.kind === "return") results.push(message.value);
        const next = pending.shift();
        if (next === undefined) finish();
        else socket.write(`${JSON.stringify(next)}\n`);
      };
      let text = "";
      socket.setEncoding("utf8");
      socket.on("data", (chunk: string) => {
        const { lines, rest } = splitLines(text + chunk);
        text = rest;
        if (text.length > ANSWER_BYTES_MAX) return finish(new QmpError("an answer had no end"));
        try {
          for (const line of lines) onMessage(parseQmpLine(line));
        } catch (error) {
          finish(new QmpError("QEMU's answer was not understood", { cause: error }));
        }
      });
      socket.once("error", finish);
      // `quit` is often not answered: the connection just ends.
      socket.once("close", () => finish(new QmpError("QEMU closed the connection")));
    });
  } finally {
    socket.destroy();
    release();
  }
  return results.slice(1);
}

/** A path that is too long for a socket is reached through its open folder, which has a short one. */
function openSocket(path: string): { socket: Socket; release: () => void } {
  if (Buffer.byteLength(path) <= SOCKET_PATH_BYTES_MAX) {
    return { socket: connect(path), release: () => undefined };
  }
  const folder = openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY);
  const socket = connect(`/proc/self/fd/${folder}/${basename(path)}`);
  return { socket, release: () => closeSync(folder) };
}
