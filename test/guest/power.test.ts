import { afterAll, beforeAll, expect, test } from "vitest";
import type { LeaseView } from "../../src/api/contract/view.ts";
import { type Borrowed, borrowed } from "./borrowed.ts";
import { borrow, type Market, openMarket } from "./market.ts";
import { until } from "./processes.ts";

/** One lease whose client stops, starts and restarts its guest, and looks at its console. */

let market: Market;
let held: Borrowed;

beforeAll(async () => {
  market = await openMarket("power");
  held = borrowed(market, await borrow(market));
}, 120_000);

afterAll(() => market?.close());

const ask = (verb: string) =>
  market.verbs.do<LeaseView>("lease", verb, held.lease.leaseId, "--wait", "--as", "client");
/** SSH that comes too early would wait for its own patience; the lease's events tell. */
async function untilBack(times: number): Promise<string> {
  await until("the guest answers again", async () => {
    const { events } = await held.shown();
    const again = events.filter(({ kind }) => kind === "delivered-again");
    return again.length === times ? true : undefined;
  });
  return (await held.run(["cat /data/kept"])).stdout;
}

test("a stopped guest has no process, keeps its disk, and starts with its way in as it was", async () => {
  await held.run(["echo kept > /data/kept; sync"]);
  const first = await held.bootId();
  const pid = await held.guestPid();
  const off = await ask("stop");
  expect(off).toMatchObject({ state: "ready", power: { state: "off", doneGeneration: 1 } });
  expect(() => process.kill(pid, 0)).toThrow();

  const on = await ask("start");
  expect(on).toMatchObject({ power: { state: "on", doneGeneration: 2 } });
  expect(on.access).toEqual(held.lease.access);
  expect(await untilBack(1)).toBe("kept\n");
  expect(await held.bootId()).not.toBe(first);
}, 60_000);

test("a restarted guest is another life of the same, and both parties see who asked", async () => {
  const before = await held.bootId();
  await ask("restart");
  expect(await untilBack(2)).toBe("kept\n");
  expect(await held.bootId()).not.toBe(before);
  const { events } = await held.shown();
  const power = events.filter(({ kind }) => kind.startsWith("power"));
  expect(power.map(({ kind }) => kind)).toEqual([
    ...["power-asked", "powered-off", "power-asked", "powered-on"],
    ...["power-asked", "powered-off", "powered-on"],
  ]);
  for (const { detail } of power) expect(detail.by).toBe("client");
  for (const { reason } of power.slice(-2)) expect(reason).toBe("asked-by-client");
}, 60_000);

test("the client sees its guest's console, which can do nothing to a terminal", async () => {
  await held.run([`printf 'a \\033[31mred\\033[0m line\\n' > /dev/ttyS0`]);
  const console_ = await market.verbs.do<{ text: string }>(
    ...["lease", "console", held.lease.leaseId, "--as", "client"],
  );
  expect(console_.text).toContain("a red line\n");
  const lender = ["lease", "console", held.lease.leaseId, "--as", "lender"];
  expect(await market.verbs.ask(...lender)).toMatchObject({ ok: false });
});
