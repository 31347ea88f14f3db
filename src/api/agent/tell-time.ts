import type { ServerTime } from "../../host/signed.ts";
import { sign } from "../../signature/envelope.ts";
import type { Handler } from "../handler.ts";

export const tellTime: Handler<"tellTime"> = async (context, { caller, body: { nonce } }) => {
  const time: ServerTime = {
    iss: context.serverId,
    aud: caller.hostId,
    nonce,
    now: context.clock.now().toISOString(),
  };
  const { current, successionJws } = context.keys;
  return { timeJws: sign("sublet-time", time, current), successionJws: [...successionJws] };
};
