import { join } from "node:path";
import { z } from "zod";
import { type GuestFolder, MACHINE_FILES } from "../guest-folder.ts";
import { type QmpCommand, qmp } from "../qmp.ts";

/** What QEMU says that a guest's machine has, and could have. */
export interface Machine {
  /** In the order of their numbers; `path` is null where none is plugged. */
  readonly cpus: readonly CpuPlace[];
  readonly memory: {
    readonly baseBytes: number;
    readonly pluggedBytes: number;
    readonly pieces: readonly MemoryPiece[];
  };
}

export interface CpuPlace {
  readonly type: string;
  readonly props: Readonly<Record<string, number>>;
  readonly path: string | null;
}

/** Memory that was added while the guest ran, and can be taken out again as a whole. */
export interface MemoryPiece {
  readonly id: string;
  readonly bytes: number;
  readonly slot: number;
}

/** What the guest's system answered to an addition or a removal, by slot: `_OST` of ACPI. */
export type GuestAnswers = ReadonlyMap<
  string,
  { readonly source: number; readonly status: number }
>;

const COMMAND_LIMIT_MS = 5000;

export async function command(paths: GuestFolder, sent: QmpCommand): Promise<unknown> {
  const [answer] = await qmp(
    join(paths.machine, MACHINE_FILES.qmpSocket),
    [sent],
    COMMAND_LIMIT_MS,
  );
  return answer;
}

export async function readMachine(paths: GuestFolder): Promise<Machine> {
  const ask = (execute: string) => command(paths, { execute });
  const cpus = cpusSchema.parse(await ask("query-hotpluggable-cpus"));
  const sizes = memorySchema.parse(await ask("query-memory-size-summary"));
  const pieces = piecesSchema.parse(await ask("query-memory-devices"));
  return {
    cpus: cpus
      .map((cpu) => ({ type: cpu.type, props: cpu.props, path: cpu["qom-path"] ?? null }))
      .sort((a, b) => numberOf(a) - numberOf(b)),
    memory: {
      baseBytes: sizes["base-memory"],
      pluggedBytes: sizes["plugged-memory"] ?? 0,
      pieces: pieces.map(({ data }) => ({ id: data.id, bytes: data.size, slot: data.slot })),
    },
  };
}

/** By the kind of the device and its slot: `CPU 2`, `DIMM 0`. */
export async function readAnswers(paths: GuestFolder): Promise<GuestAnswers> {
  const said = answersSchema.parse(await command(paths, { execute: "query-acpi-ospm-status" }));
  const named = said.map(({ source, status, ...of }) => {
    const name = `${of["slot-type"]} ${of.slot}`;
    return [name, { source, status }] as const;
  });
  return new Map(named);
}

/** One socket, one thread a core: the core's number is the virtual cpu's. */
export function numberOf({ props }: Pick<CpuPlace, "props">): number {
  return (props["socket-id"] ?? 0) * 4096 + (props["core-id"] ?? 0);
}

const cpusSchema = z.array(
  z.object({
    type: z.string(),
    props: z.record(z.string(), z.number()),
    "qom-path": z.string().optional(),
  }),
);
const memorySchema = z.object({
  "base-memory": z.number(),
  "plugged-memory": z.number().optional(),
});
const piecesSchema = z.array(
  z.object({ data: z.object({ id: z.string(), size: z.number(), slot: z.number() }) }),
);
const answersSchema = z.array(
  z.object({
    slot: z.string(),
    "slot-type": z.string(),
    source: z.number(),
    status: z.number(),
  }),
);
