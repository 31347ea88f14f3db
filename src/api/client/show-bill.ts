import { getBillOfParty } from "../../billing/bill-store.ts";
import type { Handler } from "../handler.ts";

export const showBill: Handler<"showBill"> = async ({ db }, { caller, params: { billId } }) => ({
  bill: (await getBillOfParty(db.kysely, caller.partyId, billId)).document,
});
