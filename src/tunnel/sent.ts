import { DATA_BYTES_MAX, WINDOW_BYTES } from "./frame.ts";

const CHUNK_BYTES_JOINED = 4096;

/** Our stream as far as the other end has not acknowledged it: kept, so that it can be sent again. */
export class Sent {
  readonly #chunks: Buffer[] = [];
  #kept = 0;
  #end = 0;
  #next = 0;
  #isFinished = false;

  /** The first byte that can be sent again. */
  get kept(): number {
    return this.#kept;
  }

  /** All bytes, and the end of the stream, are acknowledged. */
  get isDone(): boolean {
    return this.#isFinished && this.#kept === this.#end;
  }

  get isFull(): boolean {
    return this.#end - this.#kept >= WINDOW_BYTES;
  }

  add(bytes: Buffer): void {
    const last = this.#chunks.at(-1);
    // What somebody types, byte by byte, must not become a thousand buffers.
    if (last !== undefined && last.length + bytes.length <= CHUNK_BYTES_JOINED) {
      this.#chunks[this.#chunks.length - 1] = Buffer.concat([last, bytes]);
    } else this.#chunks.push(bytes);
    this.#end += bytes.length;
  }

  /** The end of the stream takes a number like a byte. */
  finish(): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    this.#end += 1;
  }

  /** False for a number that the other end cannot mean. */
  acknowledge(received: number): boolean {
    if (received > this.#end) return false;
    while (this.#kept < received) {
      const [first] = this.#chunks;
      if (first === undefined) this.#kept = received;
      else if (this.#kept + first.length > received) {
        this.#chunks[0] = first.subarray(received - this.#kept);
        this.#kept = received;
      } else {
        this.#chunks.shift();
        this.#kept += first.length;
      }
    }
    this.#next = Math.max(this.#next, this.#kept);
    return true;
  }

  /** After a new connection: what the other end has not, it is sent again. */
  rewind(received: number): boolean {
    if (received < this.#kept || !this.acknowledge(received)) return false;
    this.#next = received;
    return true;
  }

  /** What comes next, in pieces of a frame's size; then, once, the stream's end as null. */
  *take(): Generator<{ readonly offset: number; readonly bytes: Buffer | null }> {
    let at = this.#kept;
    for (const chunk of [...this.#chunks]) {
      for (let from = Math.max(0, this.#next - at); from < chunk.length; from += DATA_BYTES_MAX) {
        const bytes = chunk.subarray(from, from + DATA_BYTES_MAX);
        const offset = at + from;
        // Bytes behind the window wait: the other end would take more for a fault.
        if (offset + bytes.length > this.#kept + WINDOW_BYTES) return;
        this.#next = offset + bytes.length;
        yield { offset, bytes };
      }
      at += chunk.length;
    }
    if (this.#isFinished && this.#next < this.#end) {
      const offset = this.#next;
      this.#next = this.#end;
      yield { offset, bytes: null };
    }
  }
}
