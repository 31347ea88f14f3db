import type { Size } from "../../../unit/size.ts";
import { virtualCpus } from "../command-line.ts";
import type { CpuPlace, Machine, MemoryPiece } from "./machine.ts";
import { MEMORY_BLOCK_BYTES, MEMORY_SLOTS } from "./memory.ts";

/** What has to be plugged and unplugged, or why that cannot be. */
export type ResizePlan =
  | {
      readonly ok: true;
      readonly cpusOut: readonly CpuPlace[];
      readonly memoryOut: readonly MemoryPiece[];
      readonly cpusIn: readonly CpuPlace[];
      readonly memoryInBytes: number;
    }
  | { readonly ok: false; readonly message: string };

/** Pure: from what QEMU says that there is to what is wanted. */
export function planResize(machine: Machine, wanted: Size, diskBytes: number): ResizePlan {
  if (wanted.diskBytes !== diskBytes) {
    return no("a disk keeps its size while its guest exists");
  }
  const cpus = planCpus(machine, virtualCpus(wanted));
  if (typeof cpus === "string") return no(cpus);
  const memory = planMemory(machine, wanted.memoryBytes);
  if (typeof memory === "string") return no(memory);
  return { ok: true, ...cpus, ...memory };
}

function planCpus({ cpus }: Machine, count: number) {
  const present = cpus.filter(({ path }) => path !== null);
  const absent = cpus.filter(({ path }) => path === null);
  if (count > cpus.length) {
    return `the guest was started for at most ${cpus.length} virtual cpus and cannot have ${count}`;
  }
  if (count < 1) return "a guest has one virtual cpu at least";
  return {
    // The highest numbers go first; the first cpu, on which the guest booted, always stays.
    cpusOut: present.slice(count).reverse(),
    cpusIn: absent.slice(0, Math.max(0, count - present.length)),
  };
}

function planMemory({ memory }: Machine, bytes: number) {
  const change = bytes - memory.baseBytes - memory.pluggedBytes;
  if (bytes < memory.baseBytes) {
    return `the guest was started with ${memory.baseBytes} bytes of memory, which stay with it while it runs`;
  }
  if (change % MEMORY_BLOCK_BYTES !== 0) {
    return `memory changes by whole ${MEMORY_BLOCK_BYTES / 1024 / 1024} MiB while a guest runs`;
  }
  if (change > 0 && memory.pieces.length >= MEMORY_SLOTS) {
    return `memory was added ${MEMORY_SLOTS} times already; take some out first`;
  }
  const memoryOut = piecesOf(memory.pieces, Math.max(0, -change));
  if (memoryOut === null) {
    const pieces = memory.pieces.map((piece) => `${piece.bytes / 1024 / 1024} MiB`).join(", ");
    return `memory goes out in the pieces in which it came: ${pieces}`;
  }
  return { memoryOut, memoryInBytes: Math.max(0, change) };
}

/** Pieces that together have exactly `bytes`, the newest first; null when there are none. */
function piecesOf(pieces: readonly MemoryPiece[], bytes: number): MemoryPiece[] | null {
  if (bytes === 0) return [];
  for (let last = pieces.length - 1; last >= 0; last--) {
    const piece = pieces[last];
    if (piece === undefined || piece.bytes > bytes) continue;
    const rest = piecesOf(pieces.slice(0, last), bytes - piece.bytes);
    if (rest !== null) return [piece, ...rest];
  }
  return null;
}

function no(message: string): ResizePlan {
  return { ok: false, message };
}
