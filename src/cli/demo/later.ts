import type { Response } from "../../api/contract/contract.ts";
import { type Lease, money, type Wish } from "./borrow.ts";
import type { Play } from "./story.ts";

/** A booking of a partition that is in use, for when it will be free: nothing changes now. */
export async function bookLater(play: Play, wish: Wish): Promise<Lease> {
  const { stage, teller } = play;
  const { verbs } = stage;
  teller.say("The client also books the big partition for later. What is in use stays as it is.");
  const create = ["lease", "create", ...wish.argv, ...wish.duration, "--start", "now+1h"];
  const typed = [...create, "--yes", "--as", "client"];
  teller.command(typed);
  const booked = await verbs.do<Lease>(...typed);
  teller.detail(`${booked.state}, from ${booked.period?.start} to ${booked.period?.end}`);
  const account = await verbs.do<Response<"showAccount">>("account", "show", "--as", "client");
  teller.detail(`held for all that is booked: ${money(account.holdsMicros)}`);
  return booked;
}

/** Before its time has come it costs nothing to give it back. */
export async function giveBack({ stage, teller }: Play, booked: Lease): Promise<string> {
  teller.say("The booking for later is cancelled; nothing was used, so nothing is billed.");
  const end = ["lease", "end", booked.leaseId, "--as", "client"];
  teller.command(end);
  await stage.verbs.do(...end);
  const show = ["lease", "show", booked.leaseId, "--as", "client"];
  const { lease } = await stage.verbs.do<Response<"showLease">>(...show);
  teller.detail(`${lease.state}, ${lease.outcome}`);
  return lease.outcome ?? "";
}
