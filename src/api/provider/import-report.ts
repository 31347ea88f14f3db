import { listDemands, listIssued } from "../../enablement/capacity/stand-store.ts";
import { Refusal, refusal } from "../../refusal/refusal.ts";
import { takeActs } from "../capacity/take-acts.ts";
import { takeCapacityUsage } from "../capacity/take-usage.ts";
import type { Response } from "../contract/contract.ts";
import type { Handler } from "../handler.ts";

/**
 * Every signed text of the file is taken by itself and once, whatever files came before: acts
 * first, since they tell what the records belong to. What is refused keeps back nothing else.
 */
export const importReport: Handler<"importReport"> = async (context, { caller, body }) => {
  const { hostId } = body;
  const whose = { hostId, providerPartyId: caller.partyId };
  const [issued] = await listIssued(context.db.kysely, whose);
  if (!issued) throw refusal("not-found", { what: "host with codes of yours", id: hostId });
  if (body.providerId !== caller.partyId) {
    const message = `the file is for ${body.providerId}; hand it to that provider`;
    throw refusal("invalid-input", { message });
  }
  const receipts: string[] = [];
  const refused: Response<"importReport">["refused"] = [];
  const take = async (text: "acts" | "usage", index: number, run: () => Promise<string>) => {
    try {
      receipts.push(await run());
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      refused.push({ text, index, code: error.code, message: error.message });
    }
  };
  const from = { hostId, providerId: caller.partyId };
  for (const [index, jws] of body.acts.entries()) {
    await take("acts", index, () => takeActs(context, from, jws));
  }
  for (const [index, jws] of body.usage.entries()) {
    await take("usage", index, () => takeCapacityUsage(context, hostId, jws));
  }
  context.wake();
  const demands = await listDemands(context.db.kysely, hostId);
  const demand = demands.find((one) => one.providerPartyId === caller.partyId);
  return {
    receiptFile: {
      ...{ kind: "sublet-capacity-receipts", version: 1, hostId, providerId: caller.partyId },
      receipts,
      ...(demand ? { billNow: { demandedAt: demand.demandedAt.toISOString() } } : {}),
    },
    refused,
  };
};
