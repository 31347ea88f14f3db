import { formatMoneyMicros } from "../../unit/money.ts";
import { parseBytes } from "../../unit/quantity.ts";
import {
  askTooMuch,
  book,
  type Guest,
  type Lease,
  readGuest,
  ready,
  tellWayIn,
  type Wish,
} from "./borrow.ts";
import type { LendingFacts } from "./facts.ts";
import { bookLater, giveBack } from "./later.ts";
import { leaveExport } from "./leave-export.ts";
import { type OpenedMarket, openMarket } from "./open-market.ts";
import type { OpenedServer } from "./open-server.ts";
import { type Settled, settleUp } from "./settle-up.ts";
import type { Play, Timed } from "./story.ts";
import { compute, type Refusals, tellRefusals, tryToResize } from "./work.ts";

const DEBIAN_SIZE = ["--memory", "448MiB", "--disk", "1GiB", "--os", "debian-12"];
const TOO_MUCH = {
  cpuMilli: 64_000,
  memoryBytes: parseBytes("448MiB"),
  diskBytes: parseBytes("1GiB"),
};
/** What the client asks for, in this order. */
const WISHES = {
  tooMuch: { name: "tooMuch", argv: ["--cpu", "64", ...DEBIAN_SIZE], duration: ["--for", "10m"] },
  debian: { name: "debian", argv: ["--cpu", "1", ...DEBIAN_SIZE], duration: ["--for", "10m"] },
  small: {
    name: "small",
    argv: [
      ...["--cpu", "0.5", "--shared", "--memory", "192MiB", "--disk", "64MiB"],
      ...["--os", "small-linux"],
    ],
    duration: ["--for", "10m"],
  },
  later: { name: "later", argv: ["--cpu", "1", ...DEBIAN_SIZE], duration: ["--for", "2h"] },
} as const satisfies Record<string, Wish>;

/** A lease that ran, with all that the facts say of it. */
interface Borrowed {
  readonly lease: Lease;
  readonly guest: Guest;
}

/**
 * Requirements, search, two leases beside each other, work, refusals, a booking for later, ends,
 * bills.
 */
export async function playLending(
  play: Play,
  server: OpenedServer,
  timed: Timed,
  durationsMs: Record<string, number>,
): Promise<LendingFacts> {
  const { teller } = play;
  const market = await openMarket(play, server, timed);

  teller.say("The client says what it needs, and the server searches its resource database.");
  const matches = await askTooMuch(play, WISHES.tooMuch, TOO_MUCH);
  teller.say("So it asks for what there is, and books it: a Debian begins to boot there.");
  const since = performance.now();
  const debian = await book(play, WISHES.debian, timed);
  const debianReady = ready(play, debian);
  debianReady.catch(() => undefined);

  teller.say("Beside it the client borrows part of the other core, for a small Linux.");
  const small = await borrowSmall(play, timed, durationsMs);
  const later = await bookLater(play, WISHES.later);

  const debianLease = await timed("debianReady", "the Debian boots", debianReady);
  durationsMs.debianLeaseToReady = Math.round(performance.now() - since);
  tellWayIn(play, debianLease);
  teller.say("Two operating systems run on one computer; both are asked at the same time.");
  const [smallGuest, debianGuest] = await Promise.all([
    readGuest(play, small.lease.leaseId),
    readGuest(play, debianLease.leaseId),
  ]);
  const besideEachOther =
    smallGuest.guestBootId === small.guest.guestBootId &&
    smallGuest.guestBootId !== debianGuest.guestBootId;

  const cancelled = await giveBack(play, later);
  const settled = [
    await settleUp(play, small.lease, timed),
    await settleUp(play, debianLease, timed),
  ];
  const path = await leaveExport(play, "export.json", ["--as", "client"]);
  const borrowed = [small, { lease: debianLease, guest: debianGuest }];
  return {
    ...factsOf(server, market, borrowed, settled),
    besideEachOther,
    counterOffer: { matches, bookedCpuMilli: debianLease.size.cpuMilli },
    later: { leaseId: later.leaseId, state: later.state, outcome: cancelled },
    refusals: small.refusals,
    resultEqual: small.resultEqual,
    export: path,
  };
}

/** Boots in seconds, works, and is not to be changed meanwhile. */
async function borrowSmall(play: Play, timed: Timed, durationsMs: Record<string, number>) {
  const since = performance.now();
  const booked = await book(play, WISHES.small, timed);
  const lease = await timed("ready", "the partition boots", ready(play, booked));
  tellWayIn(play, lease);
  const guest = await readGuest(play, lease.leaseId);
  durationsMs.leaseToFirstCommand = Math.round(performance.now() - since);
  let refusals: Refusals = { server: "", agent: "" };
  const attempts = tryToResize(play, lease.partition.name).then((codes) => {
    refusals = codes;
  });
  const work = timed("computation", "it computes", compute(play, lease.leaseId));
  const [resultEqual] = await Promise.all([work, attempts]);
  tellRefusals(play, refusals);
  return { lease, guest, refusals, resultEqual };
}

function factsOf(
  { serverId }: OpenedServer,
  market: OpenedMarket,
  borrowed: readonly Borrowed[],
  bills: readonly Settled[],
) {
  const [first] = borrowed;
  const [bill] = bills;
  if (!first || !bill) throw new Error("nothing was borrowed");
  const total = bills.reduce((sum, { totalMicros }) => sum + BigInt(totalMicros), 0n);
  return {
    ids: {
      serverId,
      hostId: first.lease.host.id,
      partitionId: first.lease.partition.id,
      imageId: first.lease.image.imageId,
      leaseId: first.lease.leaseId,
      billId: bill.billId,
    },
    leases: borrowed.map(({ lease, guest }, index) => ({
      leaseId: lease.leaseId,
      partition: lease.partition.name,
      image: lease.image.name,
      recut: lease.size.memoryBytes !== market.standingMemoryBytes[lease.partition.name],
      ...guest,
      billId: bills[index]?.billId ?? "",
      billTotalMicros: bills[index]?.totalMicros ?? "",
      verified: bills[index]?.verified ?? false,
    })),
    billTotal: formatMoneyMicros(total),
    billTotalMicros: total.toString(),
    currency: bill.currency,
    verified: bills.every(({ verified }) => verified),
  };
}
