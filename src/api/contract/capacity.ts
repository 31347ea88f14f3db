import { z } from "zod";
import { capacityCodeSchema } from "../../enablement/capacity/code.ts";
import { capacityResourceSchema } from "../../enablement/capacity/resource.ts";
import { capacityTermsSchema } from "../../enablement/capacity/terms.ts";
import {
  idSchema,
  instantText,
  jwsText,
  nameText,
  naturalText,
  sizeSchema,
} from "../../unit/schema.ts";
import { operation } from "./operation.ts";
import { idOrName } from "./people.ts";

const named = (prefix: "party" | "host") =>
  z.strictObject({ id: idSchema(prefix), name: nameText });
const quantity = z.number().int().positive();
const forSeconds = z
  .number()
  .int()
  .positive()
  .max(10 * 366 * 86_400);

export const capacityRequestView = z.strictObject({
  requestId: idSchema("request"),
  host: named("host"),
  customer: named("party"),
  provider: named("party"),
  resource: capacityResourceSchema,
  /** milliCores or bytes. */
  quantity,
  forSeconds,
  state: z.enum(["open", "issued", "declined"]),
  createdAt: instantText,
});

export const capacityCodeView = z.strictObject({
  codeId: idSchema("code"),
  provider: named("party"),
  host: named("host"),
  customer: named("party"),
  sequence: z.number().int(),
  resource: capacityResourceSchema,
  quantity,
  resourceTime: naturalText,
  validity: z.strictObject({ start: instantText, end: instantText }),
  issuedAt: instantText,
  claimExpiresAt: instantText.nullable(),
  claimedAt: instantText.nullable(),
  /** The code itself, to be pasted or kept in a file. */
  codeJws: jwsText,
});

export const capacityHostView = z.strictObject({
  hostId: idSchema("host"),
  name: nameText,
  customer: named("party"),
  /** `enrolled`: its agent speaks to this server. `registered`: it is reached by files. */
  reached: z.enum(["enrolled", "registered"]),
  base: sizeSchema,
  standby: sizeSchema,
});

export const providerOperations = {
  showProviderCard: operation({
    method: "GET",
    path: "/v1/provider/card",
    summary: "Who this provider is and the keys that it signs with; owners of hosts pin it.",
    response: z.strictObject({
      providerId: idSchema("party"),
      cardJws: jwsText,
      kids: z.array(z.string()),
    }),
  }),
  setCapacityTerms: operation({
    method: "PUT",
    path: "/v1/provider/terms/:resource",
    summary:
      "On what terms a resource is sold from now on; codes keep the terms they were issued on.",
    params: z.strictObject({ resource: capacityResourceSchema }),
    body: capacityTermsSchema,
    response: z.strictObject({ resource: capacityResourceSchema, terms: capacityTermsSchema }),
  }),
  listCapacityTerms: operation({
    method: "GET",
    path: "/v1/provider/terms",
    summary: "On what terms you sell.",
    response: z.strictObject({
      terms: z.array(
        z.strictObject({ resource: capacityResourceSchema, terms: capacityTermsSchema }),
      ),
    }),
  }),
  registerHost: operation({
    method: "POST",
    path: "/v1/provider/hosts",
    summary: "Register a host by the card that its agent signed, for the customer who owns it.",
    body: z.strictObject({ cardJws: jwsText, customer: idOrName }),
    response: capacityHostView,
  }),
  listCapacityRequests: operation({
    method: "GET",
    path: "/v1/provider/requests",
    summary: "What was asked of you, newest first.",
    response: z.strictObject({ requests: z.array(capacityRequestView) }),
  }),
  declineCapacity: operation({
    method: "POST",
    path: "/v1/provider/requests/:requestId/refusal",
    summary: "Decline a request; one that a code was issued for stays as it is.",
    params: z.strictObject({ requestId: idSchema("request") }),
    response: capacityRequestView,
  }),
  issueCode: operation({
    method: "POST",
    path: "/v1/provider/codes",
    summary: "A signed code for a request, and the number that fetches it once.",
    body: z.strictObject({
      codeId: idSchema("code"),
      /** One that was sent, or the signed text of one that came as a file. */
      request: z.union([idSchema("request"), z.strictObject({ requestJws: jwsText })]),
      /** For this code alone. */
      terms: capacityTermsSchema.partial().optional(),
    }),
    response: z.strictObject({
      code: capacityCodeView,
      payload: capacityCodeSchema,
      /** Shown once: only its hash is kept. Null when this code was issued before. */
      claimNumber: z.string().nullable(),
    }),
  }),
  listCodes: operation({
    method: "GET",
    path: "/v1/provider/codes",
    summary: "The codes that you issued, newest first.",
    response: z.strictObject({ codes: z.array(capacityCodeView) }),
  }),
};

export const ownerOperations = {
  requestCapacity: operation({
    method: "POST",
    path: "/v1/lender/capacity/requests",
    summary: "Ask a provider for a code that enables standby capacity of a host of yours.",
    body: z.strictObject({
      requestId: idSchema("request"),
      host: idOrName,
      /** May be left out where there is one provider. */
      provider: idOrName.optional(),
      resource: capacityResourceSchema,
      quantity,
      forSeconds,
    }),
    response: capacityRequestView,
  }),
  listOwnCapacity: operation({
    method: "GET",
    path: "/v1/lender/capacity",
    summary: "The requests for your hosts and the codes that came, newest first.",
    response: z.strictObject({
      requests: z.array(capacityRequestView),
      codes: z.array(capacityCodeView),
    }),
  }),
  listProviders: operation({
    method: "GET",
    path: "/v1/lender/capacity/providers",
    summary: "Who sells standby capacity here, each with the signed card that is pinned on a host.",
    response: z.strictObject({
      providers: z.array(
        z.strictObject({ provider: named("party"), cardJws: jwsText, kids: z.array(z.string()) }),
      ),
    }),
  }),
};

export const claimOperations = {
  claimCode: operation({
    method: "POST",
    path: "/v1/public/claims",
    summary: "The code that a claim number stands for, once.",
    body: z.strictObject({
      number: z.string().max(64),
      /** Made by the caller: with the same one it may ask again, since an answer can be lost. */
      claimant: z.string().min(16).max(64),
    }),
    response: z.strictObject({ codeId: idSchema("code"), codeJws: jwsText }),
  }),
};
