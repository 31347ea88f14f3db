/** Bytes of a stream that are sent and not yet acknowledged, at the most: also what memory they take. */
export const WINDOW_BYTES = 1024 * 1024;
/** Of one frame: small enough that several streams share a connection's buffers fairly. */
export const DATA_BYTES_MAX = 32 * 1024;
export const SECRET_BYTES = 32;
/** A frame with all that stands before its data; what a WebSocket message may have. */
export const FRAME_BYTES_MAX = DATA_BYTES_MAX + 64;
const VERSION = 1;

/**
 * What the two ends of a tunnel say to each other. Offsets count the bytes of one direction from the
 * tunnel's beginning, over all of its connections; the end of a stream counts as one byte more.
 *
 * - `hello`: the first of each connection, from both sides. `received` is what the sender has
 *   delivered of the other's stream, `kept` the first byte of its own that it can send again.
 * - `data`: bytes from `offset` on.
 * - `acknowledge`: all before `received` is delivered and need not be kept.
 * - `finish`: the stream ends at `offset`.
 */
export type Frame =
  | {
      readonly kind: "hello";
      readonly secret: Buffer;
      readonly kept: number;
      readonly received: number;
    }
  | { readonly kind: "data"; readonly offset: number; readonly bytes: Buffer }
  | { readonly kind: "acknowledge"; readonly received: number }
  | { readonly kind: "finish"; readonly offset: number };

const CODES = { hello: 0, data: 1, acknowledge: 2, finish: 3 } as const;
const NUMBER_BYTES = 8;

export function writeFrame(frame: Frame): Buffer {
  switch (frame.kind) {
    case "hello": {
      const numbers = [number(frame.kept), number(frame.received)];
      return Buffer.concat([Buffer.of(CODES.hello, VERSION), frame.secret, ...numbers]);
    }
    case "data":
      return Buffer.concat([Buffer.of(CODES.data), number(frame.offset), frame.bytes]);
    case "acknowledge":
      return Buffer.concat([Buffer.of(CODES.acknowledge), number(frame.received)]);
    case "finish":
      return Buffer.concat([Buffer.of(CODES.finish), number(frame.offset)]);
  }
}

/** Undefined for what is not a frame of this version. */
export function readFrame(bytes: Buffer): Frame | undefined {
  const rest = bytes.subarray(1);
  switch (bytes[0]) {
    case CODES.hello:
      return readHello(rest);
    case CODES.data: {
      const offset = numberAt(rest, 0);
      const data = rest.subarray(NUMBER_BYTES);
      if (offset === undefined || data.length === 0 || data.length > DATA_BYTES_MAX) return;
      return { kind: "data", offset, bytes: data };
    }
    case CODES.acknowledge: {
      const received = rest.length === NUMBER_BYTES ? numberAt(rest, 0) : undefined;
      return received === undefined ? undefined : { kind: "acknowledge", received };
    }
    case CODES.finish: {
      const offset = rest.length === NUMBER_BYTES ? numberAt(rest, 0) : undefined;
      return offset === undefined ? undefined : { kind: "finish", offset };
    }
    default:
      return undefined;
  }
}

function readHello(rest: Buffer): Frame | undefined {
  const secretEnd = 1 + SECRET_BYTES;
  if (rest[0] !== VERSION || rest.length !== secretEnd + 2 * NUMBER_BYTES) return undefined;
  const kept = numberAt(rest, secretEnd);
  const received = numberAt(rest, secretEnd + NUMBER_BYTES);
  if (kept === undefined || received === undefined) return undefined;
  return { kind: "hello", secret: rest.subarray(1, secretEnd), kept, received };
}

/** Exact up to 2^53 bytes: nine thousand terabytes through one tunnel. */
function number(value: number): Buffer {
  const bytes = Buffer.alloc(NUMBER_BYTES);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

function numberAt(bytes: Buffer, at: number): number | undefined {
  if (bytes.length < at + NUMBER_BYTES) return undefined;
  const value = bytes.readBigUInt64BE(at);
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : undefined;
}
