import type { Kysely } from "kysely";
import type { DB } from "../database/types.ts";
import type { ChainId, CodeId, HostId } from "../unit/id.ts";
import type { HashedRecord, UsageRecord } from "./record.ts";

/** All records of some chains, by chain and number. */
export async function readChains(
  db: Kysely<DB>,
  chainIds: readonly ChainId[],
): Promise<ReadonlyMap<ChainId, readonly HashedRecord[]>> {
  const byChain = new Map<ChainId, HashedRecord[]>(chainIds.map((chainId) => [chainId, []]));
  if (chainIds.length === 0) return byChain;
  const rows = await db
    .selectFrom("usageRecord")
    .select(["chainId", "hash", "record"])
    .where("chainId", "in", [...chainIds])
    .orderBy("chainId")
    .orderBy("seq")
    .execute();
  for (const { chainId, hash, record } of rows) {
    byChain.get(chainId as ChainId)?.push({ hash, record: record as unknown as UsageRecord });
  }
  return byChain;
}

/** What the records of a host's chains have drawn from each code. */
export async function readDebited(
  db: Kysely<DB>,
  hostId: HostId,
): Promise<ReadonlyMap<CodeId, bigint>> {
  const rows = await db
    .selectFrom("capacityDrawn as d")
    .innerJoin("capacityCode as k", "k.codeId", "d.codeId")
    .select(["d.codeId", "d.quantity"])
    .where("k.hostId", "=", hostId)
    .execute();
  return new Map(rows.map(({ codeId, quantity }) => [codeId as CodeId, BigInt(quantity)]));
}
