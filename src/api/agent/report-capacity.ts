import { transaction } from "../../database/transaction.ts";
import type { NewLentCode } from "../../host/lent-code.ts";
import { replaceLentCodes } from "../../host/lent-code-store.ts";
import { lockHost, markSeen, updateCapacity } from "../../host/store.ts";
import { refusal } from "../../refusal/refusal.ts";
import type { Body } from "../contract/contract.ts";
import type { Handler } from "../handler.ts";

export const reportCapacity: Handler<"reportCapacity"> = async (context, { caller, body }) => {
  const { db, clock, keys } = context;
  await markSeen(db.kysely, caller.hostId, clock.now());
  const lentCodes = readLentCodes(body);
  await transaction(db, async (tx) => {
    await lockHost(tx, caller.hostId);
    await replaceLentCodes(tx, caller.hostId, lentCodes, clock.now());
  });
  await updateCapacity(db.kysely, caller.hostId, body);
  return { hostId: caller.hostId, serverKeys: keys.all.map((key) => ({ ...key })) };
};

/** What an agent does not speak of it does not lend. */
function readLentCodes({ lentCodes = [] }: Body<"reportCapacity">): NewLentCode[] {
  const codes = lentCodes.map(({ resourceTime, validity, ...code }) => ({
    ...code,
    resourceTime: BigInt(resourceTime),
    validity: { start: new Date(validity.start), end: new Date(validity.end) },
  }));
  const wrong =
    codes.find(({ validity }) => validity.end <= validity.start) ??
    codes.find(({ codeId }, at) => codes.findIndex((one) => one.codeId === codeId) !== at);
  if (wrong === undefined) return codes;
  const message = `what it says of ${wrong.codeId} makes no sense; update the agent of this host`;
  throw refusal("invalid-input", { message });
}
