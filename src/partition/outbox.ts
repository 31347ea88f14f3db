/** What the guest's disk for outputs is known by inside of the guest: the serial of a virtio disk. */
export const OUTBOX_SERIAL = "sublet-outbox";
/** The first block tells; what is left behind lies from here on. */
export const OUTBOX_HEAD_BYTES = 512;
export const OUTBOX_CONTENT_AT = 2 ** 20;

/** What the guest says of its run. `exited`: what it leaves is not all written yet. */
export type OutboxHead =
  | { readonly state: "empty" | "running" }
  | { readonly state: "exited"; readonly exitCode: number }
  | { readonly state: "done"; readonly exitCode: number; readonly bytes: number };

/**
 * Reads the first block. A guest writes what it likes: whatever is not exactly of this form, or
 * claims more than there is room for, counts as nothing written.
 */
export function readOutboxHead(block: Buffer, outboxBytes: number): OutboxHead {
  const [text = ""] = block.subarray(0, OUTBOX_HEAD_BYTES).toString("latin1").split("\0");
  if (text === "sublet-outbox 1 running\n") return { state: "running" };
  const match = /^sublet-outbox 1 (exited|done) (\d{1,3}) (\d{1,14})\n$/.exec(text);
  const [exitCode, bytes] = [Number(match?.[2]), Number(match?.[3])];
  if (match === null || exitCode > 255) return { state: "empty" };
  if (match[1] === "exited") return { state: "exited", exitCode };
  if (bytes > outboxBytes - OUTBOX_CONTENT_AT) return { state: "exited", exitCode };
  return { state: "done", exitCode, bytes };
}
