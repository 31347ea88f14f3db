import { setTimeout as sleep } from "node:timers/promises";
import type { OwnGuestView } from "../../../agent/own/show.ts";
import type { AgentState } from "../../../agent/show-state.ts";
import type { Play } from "../story.ts";
import { HOST, OWNER, type StandbyHost } from "./host.ts";

export interface OwnGuest {
  readonly partition: string;
  readonly guestId: string;
}

const SIZE = ["--memory", "192MiB", "--disk", "64MiB"];
/** With `--max-cpu`. */
export const SAME_AT_MOST = ["--max-memory", "192MiB", "--max-disk", "64MiB"];

/** Cuts a partition for the owner itself; until the host has heard of it. */
export async function cut(
  { stage, teller }: Play,
  host: StandbyHost,
  name: string,
  cpu: readonly string[],
): Promise<void> {
  const set = ["partition", "set", HOST, name, ...cpu, ...SIZE, ...OWNER];
  teller.command(set);
  await stage.verbs.do(...set);
  for (;;) {
    const { partitions } = await host.ask<AgentState>("host", "show");
    if (partitions.some((partition) => partition.name === name)) return;
    await sleep(100);
  }
}

/** The small Linux, from the server's file server; until its way in answers. */
export async function startGuest(host: StandbyHost, partition: string): Promise<OwnGuest> {
  const start = ["partition", "start", partition, "--image", "small-linux"];
  const { guestId } = await host.tell<OwnGuestView>(...start);
  return { partition, guestId };
}

export async function wipeGuest(host: StandbyHost, { partition }: OwnGuest): Promise<void> {
  await host.tell("partition", "wipe", partition, "--yes");
}

/** A guest may take a moment for a cpu. */
const COUNT_MS_MAX = 10_000;

/** As the guest itself counts them at last, when it is to have so many; told. */
export async function countCpus(
  { teller }: Play,
  host: StandbyHost,
  { partition }: OwnGuest,
  wanted: number,
): Promise<number> {
  for (const since = performance.now(); ; await sleep(200)) {
    const cpus = Number(await host.inside(partition, "nproc"));
    if (cpus !== wanted && performance.now() - since < COUNT_MS_MAX) continue;
    teller.detail(`the guest itself counts its cpus: ${cpus}`);
    return cpus;
  }
}
