import type { Response } from "../../api/contract/contract.ts";
import { formatMoneyMicros } from "../../unit/money.ts";
import type { Size } from "../../unit/size.ts";
import { counterText } from "../search.ts";
import type { Play, Timed } from "./story.ts";

export type Lease = Response<"bookLease">;
type Found = Response<"search">;

/** What the client types for a partition: size, system, length of time, cpu mode. */
export interface Wish {
  readonly name: string;
  readonly argv: readonly string[];
  readonly duration: readonly string[];
}

export interface Guest {
  /** As read inside. */
  readonly guestOs: string;
  readonly guestKernel: string;
  readonly guestBootId: string;
}

/** A wish that nothing can meet: the reasons are told, and what there is instead. */
export async function askTooMuch({ stage, teller }: Play, wish: Wish, size: Size): Promise<number> {
  const search = ["search", ...wish.argv, ...wish.duration, "--as", "client"];
  teller.command(search);
  const found = await stage.verbs.do<Found>(...search);
  for (const mismatch of found.mismatches) {
    const { host, partition, reasons } = mismatch;
    const why = reasons.map(({ message }) => message).join("; ");
    teller.detail(`${host.name}/${partition?.name}: ${why}`);
    if (mismatch.counter) teller.detail(`  instead: ${counterText(mismatch, size)}`);
  }
  return found.matches.length;
}

/** Search and book; the partition is re-cut, and begins to boot. */
export async function book(play: Play, wish: Wish, timed: Timed): Promise<Lease> {
  const { stage, teller } = play;
  const { verbs } = stage;
  const search = ["search", ...wish.argv, ...wish.duration, "--as", "client"];
  teller.command(search);
  const found = await timed(`${wish.name}Search`, "searching", verbs.do<Found>(...search));
  const [match] = found.matches;
  if (!match) throw new Error(`the search for ${wish.name} found nothing`);
  const place = `${match.host.name}/${match.partition?.name}`;
  const recut = match.recut ? ", re-cut to size" : "";
  teller.detail(`${place} fits${recut}: at most ${money(match.quote.totalMicros)} for it`);
  const create = ["lease", "create", ...wish.argv, ...wish.duration, "--yes", "--as", "client"];
  teller.command(create);
  return verbs.do<Lease>(...create);
}

/** Until the way in is there; tells what happens meanwhile. */
export async function ready({ stage: { verbs }, teller }: Play, lease: Lease): Promise<Lease> {
  let told = 0;
  for (;;) {
    const show = ["lease", "show", lease.leaseId, "--as", "client"];
    const shown = await verbs.do<Response<"showLease">>(...show);
    for (const event of shown.events.slice(told)) {
      const step = event.detail.step ?? event.reason ?? "";
      teller.detail(`${lease.image.name}: ${event.kind}${step ? `: ${step}` : ""}`);
    }
    told = shown.events.length;
    const { state, reason } = shown.lease;
    if (state === "ready") return shown.lease;
    if (state === "ending" || state === "ended") throw new Error(`the lease ended: ${reason}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

export function tellWayIn({ teller }: Play, { access, image }: Lease): void {
  const address = `${access?.user}@${access?.address} port ${access?.port}`;
  teller.say(`The way in has arrived (${image.name}): ${address}, host key pinned.`);
}

export async function readGuest(play: Play, leaseId: string): Promise<Guest> {
  const script =
    '. /etc/os-release; echo "$PRETTY_NAME"; uname -r; cat /proc/sys/kernel/random/boot_id';
  const run = ["run", "--lease", leaseId, "--as", "client", "--", script];
  const { stdout } = await play.stage.verbs.do<{ readonly stdout: string }>(...run);
  const [guestOs = "", guestKernel = "", guestBootId = ""] = stdout.trim().split("\n");
  play.teller.detail(`the guest itself says: ${guestOs}, kernel ${guestKernel}`);
  return { guestOs, guestKernel, guestBootId };
}

export function money(micros: string): string {
  return `${formatMoneyMicros(BigInt(micros))} EUR`;
}
