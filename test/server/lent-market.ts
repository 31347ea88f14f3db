import type { SentBody } from "../../src/api/contract/contract.ts";
import { type CodeId, type LeaseId, newId } from "../../src/unit/id.ts";
import { HOUR, openExtensionMarket } from "./extension-market.ts";
import {
  becomeReady,
  becomeWiped,
  bookingOf,
  capacity,
  enrolFakeHost,
  GIB,
  makeRecords,
  offerOf,
  readGrant,
  signBatch,
} from "./fake-host.ts";

type LentCodes = NonNullable<SentBody<"reportCapacity">["lentCodes"]>;
export type LentCode = LentCodes[number];
export type Change = Parameters<typeof bookingOf>[0];

const BLOCK = 128 * 2 ** 20;
const BASE = { cpuMilli: 4000, memoryBytes: 8 * GIB, diskBytes: 100 * GIB };
const STANDBY = { cpuMilli: 4000, memoryBytes: 4 * GIB, diskBytes: 0 };
/** Between the end of a lease and the next: what is reserved is reserved for it, too. */
export const TURNAROUND = 30;

/** A market of hosts that lend standby codes, and what tests do in it. */
export async function openLentMarket() {
  const opened = await openExtensionMarket();
  const { market, server, clock, pass } = opened;
  const { client, lender } = market;
  const { partyId: providerId } = await server.party("vendor", ["provider"]);
  const at = (seconds: number) => new Date(clock.now().getTime() + seconds * 1000).toISOString();

  /** So many cores at once, or blocks of memory, for so many hours of one; valid for a day. */
  const codeOf = (
    change: { cores?: number; blocks?: number; hours?: number; validSeconds?: number } = {},
  ): LentCode => {
    const { cores = 2, blocks, hours = 10, validSeconds = 86_400 } = change;
    const one = blocks === undefined ? 1000 : BLOCK;
    return {
      ...{ codeId: newId("code"), providerId: providerId as LentCode["providerId"] },
      ...{ resource: blocks === undefined ? "cpu" : "memory", quantity: (blocks ?? cores) * one },
      resourceTime: (BigInt(one) * BigInt(hours * HOUR) * 1_000_000_000n).toString(),
      validity: { start: at(-60), end: at(validSeconds) },
    };
  };

  /**
   * Four cores and 8 GiB, and as many cores and half the memory in standby. `a` has two cores and
   * 4 GiB, `b` one and 1 GiB: so three cores and 7 GiB of the base are there for `a`.
   */
  async function openHost(name: string, codes: readonly LentCode[]) {
    const host = await enrolFakeHost(server, lender, name, BASE);
    const report = (lentCodes?: readonly LentCode[]) => {
      const told = lentCodes ? { lentCodes: [...lentCodes] } : {};
      const body = { ...capacity(BASE), standby: STANDBY, ...told };
      return host.agent.call("reportCapacity", { body });
    };
    await report(codes);
    for (const [partition, cores, gib] of [
      ["a", 2, 4],
      ["b", 1, 1],
    ] as const) {
      const params = { host: name, name: partition };
      const size = { cpuMilli: cores * 1000, memoryBytes: gib * GIB, diskBytes: GIB };
      const max = { cpuMilli: 8000, memoryBytes: 12 * GIB, diskBytes: 10 * GIB };
      const body = { lendable: true, cpuMode: "dedicated" as const, size, max };
      await lender.call("setPartition", { params, body });
      const labels = { place: `${name}-${partition}` };
      await lender.call("setOffer", { params, body: offerOf({ labels }) });
    }
    const wish = (partition: "a" | "b", cores: number, more: Change = {}): Change => ({
      size: { cpuMilli: cores * 1000, memoryBytes: GIB, diskBytes: GIB },
      labels: { place: `${name}-${partition}` },
      ...more,
    });
    const book = async (wanted: Change, by = client) => {
      const leaseId = newId("lease");
      return by.call("bookLease", { params: { leaseId }, body: bookingOf(wanted) });
    };
    return {
      ...{ host, name, report, wish, book },
      find: async (wanted: Change) => {
        const found = await client.call("search", { body: bookingOf(wanted).requirement });
        const [mismatch] = found.mismatches.filter(({ reasons }) =>
          reasons.every(({ code }) => code === "capacity-short"),
        );
        return { match: found.matches[0], mismatch };
      },
      /** Booked, granted and ready. */
      run: async (wanted: Change) => {
        const { leaseId } = await book(wanted);
        await server.pass();
        await becomeReady(host, leaseId);
        return { leaseId, granted: await readGrant(host, leaseId) };
      },
      lentCodes: async () => (await lender.call("showHost", { params: { host: name } })).lentCodes,
      /** What no lease had or has reserved of a code, in seconds of one core or block. */
      unreserved: async (code: LentCode) => {
        const { lentCodes } = await lender.call("showHost", { params: { host: name } });
        const shown = lentCodes.find(({ codeId }) => codeId === code.codeId);
        if (!shown) throw new Error(`${code.codeId} is not shown`);
        const one = code.resource === "cpu" ? 1000n : BigInt(BLOCK);
        return Number((BigInt(shown.unreserved) / (one * 1_000_000n)).toString()) / 1000;
      },
      heard: async (seconds: number) => {
        pass(seconds);
        await host.agent.call("readDesired");
      },
      wipe: async (leaseId: LeaseId, seconds: readonly number[] = []) => {
        const granted = await readGrant(host, leaseId);
        const records = seconds.length > 0 ? makeRecords(host, granted, seconds) : [];
        if (records.length > 0) {
          await host.agent.call("sendUsage", { body: { usageJws: signBatch(host, records) } });
        }
        const ended = await client.call("endLease", { params: { leaseId } });
        if (ended.state !== "ended") await becomeWiped(host, granted, records);
      },
      keep: (codeId: CodeId) =>
        lender.call("orderCapacity", {
          body: { orderId: newId("order"), host: name, ordered: { kind: "keep", codeId } },
        }),
    };
  }
  return { ...opened, codeOf, openHost };
}
