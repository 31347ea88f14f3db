import type { RawData, WebSocket } from "ws";
import { CLOSED_DONE, CLOSED_FOR_GOOD } from "../../tunnel/carrier.ts";

/** What may wait for one side before the other is no longer read: the ends send no more than a window. */
const BUFFERED_BYTES_MAX = 512 * 1024;

/**
 * Joins the two halves of a tunnel's connection. What is in the messages is the ends' own affair.
 * Each waits for the other: nothing piles up here, whatever either of them does.
 */
export function joinStreams(client: WebSocket, agent: WebSocket): void {
  forward(client, agent);
  forward(agent, client);
  client.resume();
}

function forward(from: WebSocket, to: WebSocket): void {
  from.on("message", (data: RawData, isBinary: boolean) => {
    if (!isBinary) return from.close(1003, "expected frames");
    // What comes for one that is closing is read and dropped, or the close behind it is not heard.
    if (to.readyState !== to.OPEN) return;
    to.send(data, { binary: true }, () => {
      if (from.isPaused && to.bufferedAmount < BUFFERED_BYTES_MAX / 2) from.resume();
    });
    if (to.bufferedAmount > BUFFERED_BYTES_MAX) from.pause();
  });
  from.on("close", (code: number, reason: Buffer) => {
    // One that is not read would not hear that it is to close.
    to.resume();
    const isWord = code === CLOSED_DONE || code === CLOSED_FOR_GOOD;
    if (isWord) to.close(code, reason);
    else to.close(1012, "the other end is gone");
  });
}
