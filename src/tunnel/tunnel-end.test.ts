import { createHash, randomBytes } from "node:crypto";
import { PassThrough, Writable } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Carrier, CLOSED_DONE, CLOSED_FOR_GOOD } from "./carrier.ts";
import { DATA_BYTES_MAX, SECRET_BYTES, WINDOW_BYTES, writeFrame } from "./frame.ts";
import { TunnelEnd, type TunnelOutcome } from "./tunnel-end.ts";

interface End {
  readonly tunnel: TunnelEnd;
  readonly source: PassThrough;
  readonly taken: () => Buffer;
  readonly outcome: Promise<TunnelOutcome>;
}

/** `slow`: what it takes is taken later than it has arrived, or never. */
function endOf(secret: Buffer, slow: "no" | "a-little" | "stuck" = "no"): End {
  const source = new PassThrough();
  const chunks: Buffer[] = [];
  const writable = new Writable({
    write(bytes: Buffer, _encoding, done) {
      chunks.push(bytes);
      if (slow === "no") done();
      if (slow === "a-little") setImmediate(() => setImmediate(done));
    },
  });
  const { promise: outcome, resolve } = Promise.withResolvers<TunnelOutcome>();
  const tunnel = new TunnelEnd({ readable: source, writable, secret, onOutcome: resolve });
  return { tunnel, source, outcome, taken: () => Buffer.concat(chunks) };
}

/** A connection between two ends. Of what is under way when it is cut, nothing arrives. */
function join(left: TunnelEnd, right: TunnelEnd) {
  let isCut = false;
  const seen = { frames: 0, bytesLeft: 0, closed: [] as [number, string][] };
  const carriers: Carrier[] = [];
  const carrierTo = (to: TunnelEnd, index: number): Carrier => ({
    send: (bytes) => {
      seen.frames += 1;
      setImmediate(() => {
        const other = carriers[1 - index];
        if (!isCut && other) to.receive(other, bytes);
      });
    },
    close: (code, reason) => seen.closed.push([code, reason]),
  });
  const toRight = carrierTo(right, 0);
  const toLeft = carrierTo(left, 1);
  carriers.push(toRight, toLeft);
  left.attach(toRight);
  right.attach(toLeft);
  return {
    seen,
    cut: () => {
      isCut = true;
      left.detach(toRight);
      right.detach(toLeft);
    },
  };
}

const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

test("whatever is cut, and whenever, each byte arrives once, in order, both ways", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 200_000 }), { maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 50_000 }), { maxLength: 12 }),
      fc.array(fc.nat(12), { maxLength: 12 }),
      async (up, down, cuts) => {
        const secret = randomBytes(SECRET_BYTES);
        const [left, right] = [endOf(secret, "a-little"), endOf(secret, "a-little")];
        const [sentUp, sentDown] = [up, down].map((sizes) =>
          sizes.map((size) => randomBytes(size)),
        );
        for (const bytes of sentUp ?? []) left.source.write(bytes);
        for (const bytes of sentDown ?? []) right.source.write(bytes);
        left.source.end();
        right.source.end();
        for (const turns of cuts) {
          const connection = join(left.tunnel, right.tunnel);
          for (let i = 0; i < turns; i++) await turn();
          connection.cut();
        }
        join(left.tunnel, right.tunnel);
        expect(await Promise.all([left.outcome, right.outcome])).toEqual([
          { kind: "done" },
          { kind: "done" },
        ]);
        expect(sha256(right.taken())).toBe(sha256(Buffer.concat(sentUp ?? [])));
        expect(sha256(left.taken())).toBe(sha256(Buffer.concat(sentDown ?? [])));
      },
    ),
    { numRuns: 150 },
  );
});

test("one direction may end while the other goes on", async () => {
  const secret = randomBytes(SECRET_BYTES);
  const [left, right] = [endOf(secret), endOf(secret)];
  join(left.tunnel, right.tunnel);
  left.source.end("question");
  await expect.poll(() => right.taken().toString()).toBe("question");
  right.source.write("answer");
  await expect.poll(() => left.taken().toString()).toBe("answer");
  right.source.end(" and more");
  expect(await left.outcome).toEqual({ kind: "done" });
  expect(left.taken().toString()).toBe("answer and more");
});

test("without a connection, or with an end that takes nothing, no more than a window is kept", async () => {
  const secret = randomBytes(SECRET_BYTES);
  const [left, right] = [endOf(secret), endOf(secret, "stuck")];
  const piece = Buffer.alloc(64 * 1024);
  let written = 0;
  const feed = async () => {
    while (left.source.write(piece)) {
      written += piece.length;
      await turn();
    }
  };
  await feed();
  const most = WINDOW_BYTES + 4 * piece.length;
  expect(written).toBeLessThan(most);
  join(left.tunnel, right.tunnel);
  for (let i = 0; i < 200; i++) await turn();
  await feed();
  expect(written).toBeLessThan(most);
  expect(right.taken().length).toBeLessThanOrEqual(WINDOW_BYTES);
  left.tunnel.fail("test-over");
  right.tunnel.fail("test-over");
});

test("an end that was done answers another connection, so that the other end is done too", async () => {
  const secret = randomBytes(SECRET_BYTES);
  const [left, right] = [endOf(secret), endOf(secret)];
  left.source.end("all");
  right.source.end("of it");
  join(left.tunnel, right.tunnel);
  expect(await Promise.all([left.outcome, right.outcome])).toEqual([
    { kind: "done" },
    { kind: "done" },
  ]);
  // The one that is asked once more says hello with all that it has, and ends.
  const sent: Buffer[] = [];
  const closed: unknown[] = [];
  right.tunnel.attach({
    send: (bytes) => sent.push(bytes),
    close: (...how) => closed.push(how),
  });
  expect(sent.map((bytes) => bytes[0])).toEqual([0]);
  expect(sent[0]?.readBigUInt64BE(sent[0].length - 8)).toBe(4n);
  expect(closed).toEqual([[CLOSED_DONE, "done"]]);
});

test("what arrives twice, in whole or in part, is taken once", async () => {
  const secret = randomBytes(SECRET_BYTES);
  const end = endOf(secret);
  const carrier: Carrier = { send: () => undefined, close: () => undefined };
  end.tunnel.attach(carrier);
  const stream = Buffer.from("0123456789abcdef");
  end.tunnel.receive(carrier, writeFrame({ kind: "hello", secret, kept: 0, received: 0 }));
  for (const [offset, to] of [
    [0, 10],
    [0, 10],
    [3, 7],
    [5, 13],
    [12, 16],
    [0, 16],
  ] as const) {
    const bytes = stream.subarray(offset, to);
    end.tunnel.receive(carrier, writeFrame({ kind: "data", offset, bytes }));
  }
  expect(end.taken().toString()).toBe(stream.toString());
  end.tunnel.fail("test-over");
});

test("another secret, a gap, and more than the window end the tunnel and no byte is made up", async () => {
  const secret = randomBytes(SECRET_BYTES);
  const other = randomBytes(SECRET_BYTES);
  const hello = (from: Buffer, kept = 0, received = 0) =>
    writeFrame({ kind: "hello", secret: from, kept, received });
  const data = (offset: number, size = 1) =>
    writeFrame({ kind: "data", offset, bytes: Buffer.alloc(size) });
  const flood = Array.from({ length: WINDOW_BYTES / DATA_BYTES_MAX + 1 }, (_, i) =>
    data(i * DATA_BYTES_MAX, DATA_BYTES_MAX),
  );
  for (const frames of [
    [hello(other)],
    [data(0)],
    [hello(secret, 1)],
    [hello(secret, 0, 1)],
    [hello(secret), hello(secret)],
    [hello(secret), data(1)],
    [hello(secret), writeFrame({ kind: "finish", offset: 1 })],
    [hello(secret), writeFrame({ kind: "acknowledge", received: 1 })],
    [hello(secret), writeFrame({ kind: "finish", offset: 0 }), data(0), data(1)],
    [hello(secret), Buffer.from("nonsense")],
    [hello(secret), Buffer.alloc(0)],
    [hello(secret), ...flood],
  ]) {
    const end = endOf(secret, "stuck");
    const closed: unknown[] = [];
    const carrier: Carrier = { send: () => undefined, close: (...how) => closed.push(how) };
    end.tunnel.attach(carrier);
    for (const frame of frames) end.tunnel.receive(carrier, frame);
    expect(await end.outcome).toEqual({ kind: "failed", reason: "tunnel-garbled" });
    expect(closed).toEqual([[CLOSED_FOR_GOOD, "tunnel-garbled"]]);
  }
});
