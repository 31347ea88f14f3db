import { formatMoneyMicros } from "../../../unit/money.ts";
import type { DedicatedFacts, Skipped } from "../facts.ts";
import type { Play, Timed } from "../story.ts";
import { settle } from "./bills.ts";
import type { IssuedCode } from "./code.ts";
import { coreSeconds } from "./core-seconds.ts";
import type { StandbyHost } from "./host.ts";
import { countCpus, type OwnGuest } from "./own-guest.ts";

/** Both of the guest's cpus at work. */
const BURN = "timeout 2 yes >/dev/null & timeout 2 yes >/dev/null; wait";

interface Enabled {
  readonly service: { readonly serviceId: string } | null;
}

/** A core is enabled for one running guest, used, returned and billed by the time it was there. */
export async function playDedicated(
  play: Play,
  host: StandbyHost,
  timed: Timed,
  guest: OwnGuest,
  before: number,
  { claimNumber }: IssuedCode,
): Promise<{ readonly facts: DedicatedFacts; readonly verified: boolean } | Skipped> {
  const { stage, teller } = play;
  const { partition } = guest;
  teller.say("The code is enabled for the running guest. Now the timer runs.");
  const fromMs = Date.now();
  const enable = ["capacity", "enable", claimNumber, "--partition", partition];
  const at = ["--agent", stage.socketOf("standby"), "--as", "owner"];
  teller.command([...enable, ...at]);
  const answer = await timed(
    "enable",
    "the guest takes the core",
    stage.verbs.ask<Enabled>(...enable, ...at),
  );
  if (!answer.ok && answer.code === "capacity-not-taken") return skipped(play, answer.message);
  if (!answer.ok) throw new Error(`${answer.message} (${answer.code})`);
  const during = await countCpus(play, host, guest, before + 1);
  const ranNs = await host.kernelNs(guest.guestId);
  await timed("dedicatedUse", "both compute", host.inside(partition, BURN));
  const usedNs = (await host.kernelNs(guest.guestId)) - ranNs;
  teller.detail(`both of them compute for 2 s: ${coreSeconds(usedNs)} of work`);

  teller.say("The owner gives the core back. What is left of the code can be used later.");
  const giveBack = host.tell("capacity", "return", "--partition", partition);
  await timed("return", "the guest gives it back", giveBack);
  const toMs = Date.now();
  const after = await countCpus(play, host, guest, before);

  teller.say("The bill: the time in service, to the nanosecond, used or not.");
  const { bills, verified } = await settle(play, host, timed, "dedicated", { fromMs, toMs });
  const lines = bills.flatMap((bill) => bill.lines);
  const sum = (of: (line: (typeof lines)[number]) => string) =>
    lines.reduce((total, line) => total + BigInt(of(line)), 0n);
  const facts: DedicatedFacts = {
    partition,
    serviceId: answer.value.service?.serviceId ?? "",
    guestCpus: { before, during, after },
    usedNs: (sum(({ quantity }) => quantity) / 1000n).toString(),
    amountMicros: sum(({ amountMicros }) => amountMicros).toString(),
    billIds: bills.map(({ billId }) => billId),
  };
  const amount = formatMoneyMicros(BigInt(facts.amountMicros));
  teller.detail(`${facts.usedNs} ns of a core in service: ${amount} EUR`);
  return { facts, verified: verified && during === before + 1 && after === before };
}

function skipped({ teller }: Play, reason: string): Skipped {
  teller.say(`Not on this computer: ${reason}`);
  return { skipped: reason };
}
