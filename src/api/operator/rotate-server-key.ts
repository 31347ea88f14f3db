import { transaction } from "../../database/transaction.ts";
import { rotateServerKey as rotate } from "../../enablement/signing-key-store.ts";
import { bumpEveryDesiredGeneration } from "../../host/store.ts";
import type { Handler } from "../handler.ts";

/** Every agent is hinted, so that it knows the new key before anything comes that it has signed. */
export const rotateServerKey: Handler<"rotateServerKey"> = async (context, { body }) => {
  const { serverId, clock } = context;
  const { keys, rotated } = await transaction(context.db, async (tx) => {
    const outcome = await rotate(tx, { serverId, retireKid: body.retireKid, now: clock.now() });
    if (outcome.rotated) await bumpEveryDesiredGeneration(tx);
    return outcome;
  });
  context.keys.follow(keys);
  if (rotated) {
    context.log.info({ retired: body.retireKid, kid: keys.current.kid }, "a new key signs");
  }
  return { kid: keys.current.kid, keys: keys.all.map((key) => ({ ...key })) };
};
