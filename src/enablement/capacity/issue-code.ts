import type { MarketTerms } from "../../market/offer.ts";
import { sign } from "../../signature/envelope.ts";
import type { SigningKey } from "../../signature/key.ts";
import type { CodeId } from "../../unit/id.ts";
import type { CapacityRequest } from "./card.ts";
import { type CapacityCode, capacityCodeSchema } from "./code.ts";
import { resourceTimeOf } from "./resource.ts";
import type { CapacityTerms } from "./terms.ts";

type Named = CapacityCode["customer"];

export interface IssueInput {
  readonly codeId: CodeId;
  readonly provider: Named;
  readonly customer: Named;
  readonly wanted: Pick<CapacityRequest, "hostId" | "resource" | "quantity" | "forSeconds">;
  readonly requestId: CapacityCode["requestId"];
  readonly sequence: number;
  readonly terms: CapacityTerms;
  readonly market: MarketTerms;
  /** The operator's part of what this provider earns. */
  readonly operatorFeePpm: number;
  readonly key: SigningKey;
  readonly now: Date;
}

/** The code and its signed text. Throws a ZodError for what no code can say. */
export function issueCode(input: IssueInput): {
  readonly code: CapacityCode;
  readonly jws: string;
} {
  const { codeId, provider, customer, wanted, terms, market, now } = input;
  const { validSeconds, priceMicrosPerHour, overdraftPriceMicrosPerHour, ...rest } = terms;
  const { unreturnedPriceMicrosPerHour, increment, rounding, ...copied } = rest;
  const code = capacityCodeSchema.parse({
    jti: codeId,
    iss: provider.id,
    providerName: provider.name,
    aud: wanted.hostId,
    issuedAt: now.toISOString(),
    sequence: input.sequence,
    customer,
    requestId: input.requestId,
    resource: wanted.resource,
    quantity: wanted.quantity,
    resourceTime: resourceTimeOf(wanted).toString(),
    validity: {
      start: now.toISOString(),
      end: new Date(now.getTime() + validSeconds * 1000).toISOString(),
    },
    tariff: {
      version: 1,
      currency: market.currency,
      minorUnitDigits: market.minorUnitDigits,
      ...{ priceMicrosPerHour, overdraftPriceMicrosPerHour, unreturnedPriceMicrosPerHour },
      ...{ increment, rounding },
      operatorFeePpm: input.operatorFeePpm,
    },
    ...copied,
  });
  return { code, jws: sign("sublet-capacity-code", code, input.key) };
}
