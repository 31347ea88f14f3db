import type { AgentState } from "../../../agent/show-state.ts";
import type { StandbyFacts } from "../facts.ts";
import { leaveExport } from "../leave-export.ts";
import type { OpenedServer } from "../open-server.ts";
import type { Play, Timed } from "../story.ts";
import { obtainCode } from "./code.ts";
import { ownCores } from "./cores.ts";
import { playDedicated } from "./dedicated.ts";
import { HOST, OWNER, openStandbyHost, PERIOD_SECONDS, type StandbyHost } from "./host.ts";
import { countCpus, cut, type OwnGuest, startGuest, wipeGuest } from "./own-guest.ts";
import { playShared } from "./pool.ts";

/** One core in use, one in standby. */
const CORES = 2;
const FAST = "fast";

/**
 * A host with a core in standby: enabled by a code, first for one guest and then for a pool that
 * two share, metered and billed. It takes the lent host's place on this computer's cores.
 */
export async function playStandby(
  play: Play,
  server: OpenedServer,
  timed: Timed,
): Promise<StandbyFacts> {
  const { stage, teller, only, images } = play;
  const cores = ownCores().slice(-CORES);
  if (cores.length < CORES) {
    const skipped = `the demo may run on ${cores.length} core, and standby is a second one`;
    teller.say(`Standby capacity is not shown: ${skipped}.`);
    return { skipped };
  }
  if (only !== undefined) await server.addImage("small-linux", images.smallLinux);
  teller.say(
    "Part of a computer may be in standby: installed, and nobody's until a code enables it.",
  );
  if (only === undefined) {
    teller.detail(
      "(the lent host's agent stops; another host, h2, takes its place on these cores)",
    );
    await stage.stopAgent("agent");
  }
  const host = await openStandbyHost(play, server, timed, cores);
  const guest = await bootFast(play, host, timed);
  const before = await countCpus(play, host, guest, 1);
  const issued = await obtainCode(play);
  const dedicated = await playDedicated(play, host, timed, guest, before, issued);
  await makeRoom(play, host, guest);
  const shared = await playShared(play, host, timed);
  const path = await leaveExport(play, "capacity.json", OWNER);
  if (stage.isKept && only === undefined) await backToLending(play, host);
  const scenes = [dedicated, shared];
  return {
    hostId: host.hostId,
    requestId: issued.requestId,
    codeId: issued.codeId,
    billingPeriodSeconds: PERIOD_SECONDS,
    dedicated: "facts" in dedicated ? dedicated.facts : dedicated,
    shared: "facts" in shared ? shared.facts : shared,
    verified: scenes.every((scene) => "skipped" in scene || scene.verified),
    export: path,
  };
}

async function bootFast(play: Play, host: StandbyHost, timed: Timed): Promise<OwnGuest> {
  play.teller.say("The owner starts a guest of its own on the one core that is enabled.");
  await cut(play, host, FAST, ["--cpu", "1"]);
  return timed("standbyReady", "the partition boots", startGuest(host, FAST));
}

/** The base is one core: what two are to share is this one's until it goes. */
async function makeRoom({ stage, teller }: Play, host: StandbyHost, guest: OwnGuest) {
  teller.say("Now the same core for a pool: the one guest makes room for two that share.");
  await wipeGuest(host, guest);
  const remove = ["partition", "remove", HOST, FAST, ...OWNER];
  teller.command(remove);
  await stage.verbs.do(...remove);
}

/** Whoever goes on has the market that it began with; both hosts at once want the same cores. */
async function backToLending({ stage, teller }: Play, host: StandbyHost): Promise<void> {
  teller.say("The owner's guests end, and the lent host's agent takes its cores again.");
  const { guests } = await host.ask<AgentState>("host", "show");
  for (const { partition, state } of guests) {
    if (partition !== null && state !== "wiped") {
      await host.ask("partition", "wipe", partition, "--yes");
    }
  }
  await stage.stopAgent("standby");
  stage.startAgent("agent");
}
