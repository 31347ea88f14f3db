import type { Readable, Writable } from "node:stream";
import { type Carrier, CLOSED_DONE, CLOSED_FOR_GOOD } from "./carrier.ts";
import { type Frame, readFrame, WINDOW_BYTES, writeFrame } from "./frame.ts";
import { Sent } from "./sent.ts";

/** Acknowledged at the latest after so much: early enough that the other end never stands still. */
const ACKNOWLEDGE_BYTES = WINDOW_BYTES / 8;

export type TunnelOutcome =
  | { readonly kind: "done" }
  | { readonly kind: "failed"; readonly reason: string };

export interface TunnelEndInput {
  readonly readable: Readable;
  readonly writable: Writable;
  /** Made by the client's end for this tunnel, known to the two ends: who continues it has it. */
  readonly secret: Buffer;
  /** What to say when the local stream breaks. */
  readonly brokenBy?: () => string;
  readonly onOutcome: (outcome: TunnelOutcome) => void;
}

/**
 * One end of a tunnel: bytes of a local stream go to the other end exactly once and in order, over
 * as many connections as it takes.
 *
 *   detached ── attach ──▶ greeting ── the other's hello ──▶ flowing ── all of both streams
 *      ▲                      │                                │        acknowledged ──▶ done
 *      └───── detach ─────────┴────────────────────────────────┘
 *
 * From each a fault, or `fail`, leads to failed. Who holds it decides how long it may be detached.
 */
export class TunnelEnd {
  readonly #input: TunnelEndInput;
  readonly #sent = new Sent();
  #carrier: Carrier | null = null;
  #isGreeted = false;
  /** Of the other's stream: taken, handed to the local stream, and told. */
  #accepted = 0;
  #delivered = 0;
  #acknowledged = 0;
  #isFinished = false;
  #isTelling = false;
  #outcome: TunnelOutcome | null = null;

  constructor(input: TunnelEndInput) {
    this.#input = input;
    const { readable, writable } = input;
    readable.on("data", (bytes: Buffer) => this.#onLocalData(bytes));
    readable.on("end", () => {
      this.#sent.finish();
      this.#flow();
    });
    readable.on("error", () => this.#break());
    readable.on("close", () => {
      if (!readable.readableEnded) this.#break();
    });
    writable.on("error", () => this.#break());
  }

  get isFlowing(): boolean {
    return this.#isGreeted;
  }

  /** The connection takes the place of the one before. */
  attach(carrier: Carrier): void {
    this.#carrier = carrier;
    this.#isGreeted = false;
    if (this.#outcome?.kind !== "failed") {
      const { secret } = this.#input;
      const [kept, received] = [this.#sent.kept, this.#delivered];
      this.#acknowledged = received;
      carrier.send(writeFrame({ kind: "hello", secret, kept, received }));
    }
    // The other end may not have heard that all has arrived: now it has.
    if (this.#outcome !== null) this.#part();
  }

  /** The connection is gone; what was not acknowledged waits for the next. */
  /** False when that was no longer its connection. */
  detach(carrier: Carrier): boolean {
    if (this.#carrier !== carrier) return false;
    this.#carrier = null;
    this.#isGreeted = false;
    return true;
  }

  receive(carrier: Carrier, bytes: Buffer): void {
    if (this.#carrier !== carrier || this.#outcome !== null) return;
    const frame = readFrame(bytes);
    if (frame === undefined || !this.#take(frame)) this.fail("tunnel-garbled");
  }

  /** Gives the tunnel up; the other end is told when there is a connection. */
  fail(reason: string): void {
    this.#settle({ kind: "failed", reason });
  }

  #break(): void {
    this.fail(this.#input.brokenBy?.() ?? "local-stream-broken");
  }

  #take(frame: Frame): boolean {
    if (frame.kind === "hello") return this.#greet(frame);
    if (!this.#isGreeted) return false;
    if (frame.kind === "acknowledge") {
      const isMeant = this.#sent.acknowledge(frame.received);
      this.#flow();
      return isMeant;
    }
    return frame.kind === "data" ? this.#takeData(frame.offset, frame.bytes) : this.#end(frame);
  }

  #greet({ secret, kept, received }: Extract<Frame, { kind: "hello" }>): boolean {
    if (this.#isGreeted || !secret.equals(this.#input.secret)) return false;
    // It can no longer send what is missing here, or speaks of what was never sent.
    if (kept > this.#delivered || !this.#sent.rewind(received)) return false;
    this.#isGreeted = true;
    // What was delivered since our own hello was said has not been told.
    this.#acknowledge();
    this.#flow();
    return true;
  }

  #takeData(offset: number, bytes: Buffer): boolean {
    const end = offset + bytes.length;
    if (offset > this.#accepted || end > this.#delivered + WINDOW_BYTES) return false;
    if (end <= this.#accepted) return true;
    if (this.#isFinished) return false;
    const fresh = bytes.subarray(this.#accepted - offset);
    this.#accepted = end;
    this.#input.writable.write(fresh, (error) => {
      if (!error) this.#deliver(fresh.length);
    });
    return true;
  }

  #end({ offset }: { readonly offset: number }): boolean {
    if (this.#isFinished) return offset + 1 === this.#accepted;
    if (offset !== this.#accepted) return false;
    this.#isFinished = true;
    this.#accepted += 1;
    this.#input.writable.end(() => this.#deliver(1));
    return true;
  }

  #deliver(count: number): void {
    this.#delivered += count;
    const isDue = this.#delivered - this.#acknowledged >= ACKNOWLEDGE_BYTES;
    if (isDue || this.#isFinished) this.#acknowledge();
    else if (!this.#isTelling) {
      this.#isTelling = true;
      setImmediate(() => {
        this.#isTelling = false;
        this.#acknowledge();
      });
    }
    this.#finishIfDone();
  }

  #acknowledge(): void {
    if (!this.#isGreeted || this.#acknowledged === this.#delivered) return;
    this.#acknowledged = this.#delivered;
    this.#carrier?.send(writeFrame({ kind: "acknowledge", received: this.#delivered }));
  }

  #onLocalData(bytes: Buffer): void {
    this.#sent.add(bytes);
    this.#flow();
  }

  #flow(): void {
    const { readable } = this.#input;
    if (this.#isGreeted) {
      for (const { offset, bytes } of this.#sent.take()) {
        const frame: Frame =
          bytes === null ? { kind: "finish", offset } : { kind: "data", offset, bytes };
        this.#carrier?.send(writeFrame(frame));
      }
    }
    if (this.#sent.isFull) readable.pause();
    else if (readable.isPaused()) readable.resume();
    this.#finishIfDone();
  }

  #finishIfDone(): void {
    const isAllTold = this.#acknowledged === this.#accepted;
    if (this.#sent.isDone && this.#isFinished && isAllTold) this.#settle({ kind: "done" });
  }

  #settle(outcome: TunnelOutcome): void {
    if (this.#outcome !== null) return;
    this.#outcome = outcome;
    this.#part();
    if (outcome.kind === "failed") {
      this.#input.readable.destroy();
      this.#input.writable.destroy();
    }
    this.#input.onOutcome(outcome);
  }

  #part(): void {
    if (this.#outcome?.kind === "failed") {
      this.#carrier?.close(CLOSED_FOR_GOOD, this.#outcome.reason);
    } else this.#carrier?.close(CLOSED_DONE, "done");
    this.#carrier = null;
    this.#isGreeted = false;
  }
}
