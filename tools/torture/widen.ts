import type { Response } from "../../src/api/contract/contract.ts";
import type { Market } from "../../test/guest/market.ts";

/** More than there are partitions to lend; the market opens with the first of them. */
export const CLIENTS = ["client", "second", "third"] as const;
export type ClientName = (typeof CLIENTS)[number];
export const DEPOSITED_MICROS = 10_000_000n;

/**
 * More clients, a partition of shared cpu beside the dedicated one, and prices that do not use their
 * funds up.
 */
export async function widen({ verbs, url }: Market): Promise<void> {
  const asOperator = ["--as", "operator"];
  for (const name of CLIENTS.slice(1)) {
    const added = await verbs.do<Response<"addParty">>(
      ...["party", "add", name, "--role", "client", ...asOperator],
    );
    await verbs.do("login", url, "--key", added.key, "--as", name);
    await verbs.do("account", "deposit", name, "10.00", ...asOperator);
  }
  const asLender = ["--as", "lender"];
  await verbs.do("partition", "set", "h1", "own", "--cpu", "0.25", ...asLender);
  const size = ["--cpu", "0.5", "--memory", "256MiB", "--disk", "128MiB"];
  await verbs.do("partition", "set", "h1", "part", "--shared", "--lendable", ...size, ...asLender);
  const lengths = ["--min-lease", "1m", "--max-lease", "1d"];
  const prices = ["--price-core", "3.60/h", "--price-shared-core", "3.60/h"];
  for (const name of ["lend", "part"]) {
    await verbs.do("offer", "set", "h1", name, ...prices, ...lengths, ...asLender);
  }
}
