import WebSocket from "ws";
import { type Carrier, CLOSED_DONE, CLOSED_FOR_GOOD } from "./carrier.ts";
import { FRAME_BYTES_MAX } from "./frame.ts";

const ALIVE_EVERY_MS = 5_000;
/** Two lost answers: then the connection is only half there, whatever TCP believes. */
const SILENCE_MS = 12_000;
const OPEN_TIMEOUT_MS = 10_000;

/** Why one connection of a tunnel is over; `lost` may be followed by another. */
export type ConnectionEnd =
  | { readonly kind: "lost"; readonly cause: string }
  | { readonly kind: "refused"; readonly httpStatus: number; readonly body: string }
  | { readonly kind: "for-good"; readonly reason: string };

export interface ConnectionInput {
  /** As of the server's HTTP: `http…` becomes `ws…`. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  readonly onOpen: (carrier: Carrier) => void;
  readonly onFrame: (carrier: Carrier, bytes: Buffer) => void;
}

/** Holds one connection of a tunnel's end to the server until it is over. Never throws. */
export async function holdTunnelConnection(input: ConnectionInput): Promise<ConnectionEnd> {
  const socket = new WebSocket(input.url.replace(/^http/, "ws"), {
    headers: input.headers,
    handshakeTimeout: OPEN_TIMEOUT_MS,
    followRedirects: false,
    maxPayload: FRAME_BYTES_MAX,
    perMessageDeflate: false,
  });
  const end = () => socket.terminate();
  if (input.signal?.aborted) end();
  input.signal?.addEventListener("abort", end, { once: true });
  let heardAtMs = performance.now();
  const heard = () => {
    heardAtMs = performance.now();
  };
  const beat = setInterval(() => {
    if (performance.now() - heardAtMs > SILENCE_MS) end();
    else if (socket.readyState === WebSocket.OPEN) socket.ping();
  }, ALIVE_EVERY_MS);
  try {
    return await endOf(socket, input, heard);
  } finally {
    clearInterval(beat);
    input.signal?.removeEventListener("abort", end);
  }
}

function endOf(
  socket: WebSocket,
  { onOpen, onFrame }: ConnectionInput,
  heard: () => void,
): Promise<ConnectionEnd> {
  const carrier: Carrier = {
    send: (bytes) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(bytes);
    },
    close: (code, reason) => socket.close(code, reason),
  };
  return new Promise((resolve) => {
    socket.on("open", () => {
      heard();
      onOpen(carrier);
    });
    socket.on("pong", heard);
    socket.on("ping", heard);
    socket.on("message", (data, isBinary) => {
      heard();
      if (isBinary && Buffer.isBuffer(data)) onFrame(carrier, data);
    });
    socket.on("unexpected-response", (_request, response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("close", () => {
        const body = Buffer.concat(chunks).toString("utf8");
        resolve({ kind: "refused", httpStatus: response.statusCode ?? 0, body });
        socket.terminate();
      });
    });
    socket.on("error", (error) => resolve({ kind: "lost", cause: error.message }));
    socket.on("close", (code, reason) => {
      if (code === CLOSED_FOR_GOOD) resolve({ kind: "for-good", reason: String(reason) });
      else resolve({ kind: "lost", cause: causeOf(code, String(reason)) });
    });
  });
}

function causeOf(code: number, reason: string): string {
  if (code === CLOSED_DONE) return "the other end is done";
  return reason === "" ? `the connection broke (${code})` : reason;
}
