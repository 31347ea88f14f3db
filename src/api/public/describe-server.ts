import { PRODUCT_VERSION } from "../../unit/version.ts";
import type { Handler } from "../handler.ts";

export const describeServer: Handler<"describeServer"> = async (context) => ({
  serverId: context.serverId,
  version: PRODUCT_VERSION,
  currency: context.terms.currency,
  minorUnitDigits: context.terms.minorUnitDigits,
  billingTimeZone: context.billingTimeZone,
  keys: context.keys.all.map((key) => ({ ...key })),
  successionJws: [...context.keys.successionJws],
  now: context.clock.now().toISOString(),
});
