import WebSocket from "ws";
import type { Client } from "../api/client/client.ts";
import { type ServerHint, serverHintSchema } from "../api/contract/agent.ts";
import type { JoinedContext } from "./context.ts";

const ALIVE_EVERY_MS = 5_000;
/** Two lost answers: then the connection is only half there, whatever TCP believes. */
const SILENCE_MS = 12_000;
const OPEN_TIMEOUT_MS = 10_000;

/**
 * Holds one outbound connection from its opening until it breaks, or until `signal` ends it.
 * Hints only say that something moved: what it is, is read. Throws when it cannot be opened.
 */
export async function holdConnection(
  context: JoinedContext,
  input: {
    readonly token: () => string;
    readonly signal: AbortSignal;
    readonly onOpen: () => void;
    readonly onHint: (hint: ServerHint) => void;
  },
): Promise<void> {
  // An abort that came before nobody would hear of again.
  if (input.signal.aborted) return;
  const socket = new WebSocket(connectionUrl(context.server.client), {
    headers: { authorization: `Bearer ${input.token()}` },
    handshakeTimeout: OPEN_TIMEOUT_MS,
    followRedirects: false,
    maxPayload: 64 * 1024,
  });
  const end = () => socket.terminate();
  input.signal.addEventListener("abort", end, { once: true });
  let heardAtMs = performance.now();
  const beat = setInterval(() => {
    if (performance.now() - heardAtMs > SILENCE_MS) return end();
    if (socket.readyState !== WebSocket.OPEN) return;
    socket.send('{"kind":"alive"}');
    socket.ping();
  }, ALIVE_EVERY_MS);
  try {
    await new Promise<void>((resolve, reject) => {
      socket.on("open", () => {
        socket.send('{"kind":"alive"}');
        input.onOpen();
      });
      socket.on("pong", () => {
        heardAtMs = performance.now();
      });
      socket.on("message", (data) => {
        heardAtMs = performance.now();
        const hint = readHint(context, String(data));
        if (hint !== undefined) input.onHint(hint);
      });
      socket.on("error", reject);
      socket.on("close", () => resolve());
    });
  } finally {
    clearInterval(beat);
    input.signal.removeEventListener("abort", end);
  }
}

function readHint(context: JoinedContext, text: string): ServerHint | undefined {
  const parsed = serverHintSchema.safeParse(parseJson(text));
  if (!parsed.success) context.log.warn({ text: text.slice(0, 100) }, "an unknown hint is ignored");
  return parsed.data;
}

function connectionUrl(client: Client): string {
  return `${client.url.replace(/^http/, "ws")}/v1/agent/connection`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
