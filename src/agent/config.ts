import { resolve } from "node:path";
import { isWholeQuantity } from "../enablement/capacity/resource.ts";
import { isPublic } from "../partition/qemu/internet/address.ts";
import { RESOLVERS_MAX } from "../partition/qemu/internet/surroundings.ts";
import { formatBytes } from "../unit/quantity.ts";
import { fitsWithin, SIZE_ZERO, type Size, subtractSizes } from "../unit/size.ts";
import { AgentError } from "./agent-error.ts";
import { formatCoreList, parseCoreList } from "./core-list.ts";
import type { Machine } from "./machine.ts";

/** What a person may tell the agent. What is left out has a default. */
export interface AgentOptions {
  readonly dataFolder: string;
  /** Where the agents of one computer find each other; by default they do not look. */
  readonly runFolder?: string;
  /** `sublet-join.…`, from `sublet host add`; needed at the first start only. */
  readonly joinToken?: string;
  /** Where the server is reached from here, when not at the address in the token. */
  readonly server?: string;
  /** Like `0-3,5`; all that the process may use by default. */
  readonly cores?: string;
  /** Most that is lent, reserve included; half of what is available at the first start. */
  readonly memoryBytes?: number;
  readonly diskBytes?: number;
  /** Of that, what is kept for the host's own system, the agent and QEMU's overhead. */
  readonly reserve?: Partial<Size>;
  /** Of the cores: installed and not enabled. */
  readonly standbyCores?: string;
  /** Of the memory: installed and not enabled, in blocks of 128 MiB. */
  readonly standbyMemoryBytes?: number;
  /** This host has no server and never asks one: what it is called. */
  readonly alone?: { readonly name: string };
  /** A provider's card; its keys are pinned at the start. */
  readonly providerCardJws?: string;
  /** Where guests' ways in listen. */
  readonly accessAddress?: string;
  /** What guests with the internet ask for names; the host's own, where public, by default. */
  readonly resolvers?: readonly string[];
  /** `relay`: this computer is not to be dialled; clients come through the server alone. */
  readonly access?: "direct" | "relay";
  /** How much disk the agent's copies of images may take, beside what it lends. */
  readonly imageCacheBytes?: number;
  readonly readingEveryMs?: number;
  readonly recordEveryMs?: number;
  /** How long a guest may take to power off before it is ended. */
  readonly stopGraceMs?: number;
  readonly logFormat?: "json" | "lines";
  readonly logLevel?: "debug" | "info" | "warn" | "error" | "silent";
}

export interface AgentConfig {
  readonly dataFolder: string;
  readonly joinToken: string | null;
  readonly serverUrl: string | null;
  readonly accessAddress: string;
  readonly isDirectOffered: boolean;
  readonly readingEveryMs: number;
  readonly recordEveryMs: number;
  readonly stopGraceMs: number;
  readonly bootTimeoutMs: number;
  readonly imageCacheBytes: number;
  readonly resolvers: readonly string[];
}

/** A cloud image under emulation took 52 s on a loaded machine; more than three times that. */
const BOOT_TIMEOUT_MS = 180_000;

/** Some thirty images as vendors ship them. */
const IMAGE_CACHE_BYTES = 20 * 1024 ** 3;

export const RESERVE_DEFAULT: Size = {
  cpuMilli: 250,
  memoryBytes: 256 * 1024 ** 2,
  diskBytes: 1024 ** 3,
};

export function configFrom(options: AgentOptions): AgentConfig {
  return {
    dataFolder: resolve(options.dataFolder),
    joinToken: options.joinToken?.trim() || null,
    serverUrl: options.server ?? null,
    accessAddress: accessAddressOf(options),
    isDirectOffered: options.access !== "relay",
    readingEveryMs: options.readingEveryMs ?? 10_000,
    recordEveryMs: options.recordEveryMs ?? 60_000,
    stopGraceMs: options.stopGraceMs ?? 3_000,
    bootTimeoutMs: BOOT_TIMEOUT_MS,
    imageCacheBytes: options.imageCacheBytes ?? IMAGE_CACHE_BYTES,
    resolvers: resolversFrom(options.resolvers ?? []),
  };
}

/** Guests reach public addresses alone, so their resolvers must have such. */
function resolversFrom(told: readonly string[]): readonly string[] {
  const other = told.find((address) => !isPublic(address));
  if (other === undefined && told.length <= RESOLVERS_MAX) return told;
  const fault =
    other === undefined
      ? `${told.length} resolvers are more than ${RESOLVERS_MAX}`
      : `"${other}" is not a public address, and guests reach no others`;
  throw new AgentError("resolver-not-public", `${fault}; give it like --resolver 9.9.9.9,1.1.1.1`);
}

/** Who is reached through the server alone listens to this computer alone. */
function accessAddressOf({ access, accessAddress = "127.0.0.1" }: AgentOptions): string {
  if (access !== "relay" || accessAddress === "127.0.0.1") return accessAddress;
  throw new AgentError(
    "access-contradicts",
    `--access relay means that nobody dials this computer, so its ways in do not listen at ${accessAddress}; leave out one of the two`,
  );
}

/** What the agent was told it has: reserve + base + standby. */
export interface Lent {
  readonly cores: readonly number[];
  readonly standbyCores: readonly number[];
  readonly reserve: Size;
  readonly base: Size;
  readonly standby: Size;
}

/** Memory and disk of an earlier start, so that a default does not change from start to start. */
export interface LentBefore {
  readonly memoryBytes: number;
  readonly diskBytes: number;
}

/** Lends no more than was told and no more than there is; refuses by name. */
export function lentFrom(
  options: AgentOptions,
  machine: Machine,
  before: LentBefore | null,
): Lent & { readonly told: Size } {
  const cores = options.cores === undefined ? machine.cores : parseCoreList(options.cores);
  const missing = cores.filter((core) => !machine.cores.includes(core));
  if (missing.length > 0) {
    throw new AgentError(
      "cores-not-allowed",
      `core ${formatCoreList(missing)} is not this process's to use; it may use ${formatCoreList(machine.cores)}`,
    );
  }
  const told: Size = {
    cpuMilli: cores.length * 1000,
    memoryBytes:
      options.memoryBytes ?? before?.memoryBytes ?? halfOf(machine.memoryAvailableBytes, 2 ** 28),
    diskBytes:
      options.diskBytes ?? before?.diskBytes ?? halfOf(machine.diskAvailableBytes, 2 ** 30),
  };
  refuseMoreThan("memory", told.memoryBytes, machine.memoryBytes);
  refuseMoreThan("disk", told.diskBytes, machine.diskBytes);
  const reserve: Size = { ...RESERVE_DEFAULT, ...options.reserve };
  const standbyCores = standbyCoresOf(options, cores);
  const standby: Size = {
    cpuMilli: standbyCores.length * 1000,
    memoryBytes: standbyMemoryOf(options),
    diskBytes: 0,
  };
  const base = subtractSizes(subtractSizes(told, reserve), standby);
  if (base.cpuMilli < 0 || base.memoryBytes <= 0 || base.diskBytes < 0) {
    const taken = fitsWithin(standby, SIZE_ZERO) ? "the reserve takes" : "reserve and standby take";
    throw new AgentError(
      "nothing-to-lend",
      `${taken} all that the agent may lend; give it more cores, memory or disk, or lower the reserve`,
    );
  }
  return { cores, standbyCores, reserve, base, standby, told };
}

function standbyCoresOf(options: AgentOptions, cores: readonly number[]): readonly number[] {
  const standbyCores =
    options.standbyCores === undefined ? [] : parseCoreList(options.standbyCores);
  const strange = standbyCores.filter((core) => !cores.includes(core));
  if (strange.length === 0) return standbyCores;
  throw new AgentError(
    "standby-cores-not-given",
    `core ${formatCoreList(strange)} is to be in standby and is not among --cores; name standby cores of ${formatCoreList(cores)}`,
  );
}

function standbyMemoryOf({ standbyMemoryBytes = 0 }: AgentOptions): number {
  if (standbyMemoryBytes === 0 || isWholeQuantity("memory", standbyMemoryBytes)) {
    return standbyMemoryBytes;
  }
  throw new AgentError(
    "standby-not-whole",
    `memory goes into service in whole blocks of 128 MiB; give --standby-memory a multiple of that and not ${formatBytes(standbyMemoryBytes)}`,
  );
}

function refuseMoreThan(what: "memory" | "disk", toldBytes: number, hasBytes: number): void {
  if (toldBytes <= hasBytes) return;
  throw new AgentError(
    `${what}-exceeds-host`,
    `this computer has ${formatBytes(hasBytes)} of ${what} and not ${formatBytes(toldBytes)}; lend less with --${what}`,
  );
}

/** A number that people can read: whole steps of memory or disk. Small machines keep what is there. */
function halfOf(availableBytes: number, stepBytes: number): number {
  const half = Math.floor(availableBytes / 2);
  return half < stepBytes ? half : half - (half % stepBytes);
}
