/** The beginning of a qcow2 disk, with whatever a test wants to be wrong in it. */
export function qcow2Head(
  change: {
    readonly version?: number;
    readonly virtualBytes?: number;
    readonly backingAt?: number;
    readonly backingLength?: number;
    readonly encryption?: number;
    readonly features?: bigint;
    readonly extensions?: readonly (readonly [type: number, data: string])[];
    readonly noEnd?: boolean;
  } = {},
): Buffer {
  const head = Buffer.alloc(64 * 1024, change.noEnd === true ? 1 : 0);
  head.writeUInt32BE(0x514649fb, 0);
  head.writeUInt32BE(change.version ?? 3, 4);
  head.writeBigUInt64BE(BigInt(change.backingAt ?? 0), 8);
  head.writeUInt32BE(change.backingLength ?? 0, 16);
  head.writeUInt32BE(16, 20);
  head.writeBigUInt64BE(BigInt(change.virtualBytes ?? 2 ** 30), 24);
  head.writeUInt32BE(change.encryption ?? 0, 32);
  head.writeBigUInt64BE(change.features ?? 0n, 72);
  head.writeUInt32BE(104, 100);
  let at = 104;
  for (const [type, data] of change.extensions ?? []) {
    head.writeUInt32BE(type, at);
    head.writeUInt32BE(data.length, at + 4);
    head.write(data, at + 8, "latin1");
    at += 8 + Math.ceil(data.length / 8) * 8;
  }
  return head;
}
