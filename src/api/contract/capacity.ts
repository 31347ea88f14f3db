import { z } from "zod";
import { capacityCodeSchema } from "../../enablement/capacity/code.ts";
import { capacityOrderSchema } from "../../enablement/capacity/order.ts";
import { receiptFileSchema, reportFileSchema } from "../../enablement/capacity/report-file.ts";
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
  /** RFC 7638 thumbprint of its agent's key. */
  key: z.string().nullable(),
  /** `enrolled`: its agent speaks to this server. `registered`: it is reached by files. */
  reached: z.enum(["enrolled", "registered"]),
  /** Of a registered one: when its customer, or the operator, said whose it is. */
  confirmedAt: instantText.nullable(),
  base: sizeSchema,
  standby: sizeSchema,
});

/** What a host's codes come to, as far as the host has reported. */
export const capacityStandView = z.strictObject({
  hostId: idSchema("host"),
  name: nameText,
  customer: named("party"),
  provider: named("party"),
  reached: z.enum(["enrolled", "registered"]),
  codes: z.array(
    z.strictObject({
      codeId: idSchema("code"),
      resource: capacityResourceSchema,
      quantity,
      validity: z.strictObject({ start: instantText, end: instantText }),
      /** The host has said that it took it in. */
      accepted: z.boolean(),
      resourceTime: naturalText,
      /** As reported; the host may have used more. */
      left: naturalText,
    }),
  ),
  /** When the host last signed its acts; null: it never has. */
  reportedUntil: instantText.nullable(),
  /** Longer ago than its codes allow, while one of them was taken in. */
  overdue: z.boolean(),
  /** Services that said they could not be given back and have not been since. */
  unreturned: z.array(idSchema("service")),
  /** Since when its owner trusts the provider no more: its codes enable nothing; null: it does. */
  untrustedSince: instantText.nullable(),
  /** Why its state is known to have been set back. */
  setBack: z.array(z.strictObject({ at: instantText, reason: z.string() })),
  demandedAt: instantText.nullable(),
});

/** What an owner ordered from elsewhere, and what became of it. */
export const capacityOrderView = z.strictObject({
  orderId: idSchema("order"),
  hostId: idSchema("host"),
  ordered: capacityOrderSchema,
  orderedAt: instantText,
  /** `done`, or the name of the refusal; null: the host's agent has not answered yet. */
  outcome: z.string().nullable(),
  message: z.string().nullable(),
  answeredAt: instantText.nullable(),
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
    summary:
      "Register a host by the card that its agent signed, for the customer who owns it and confirms it.",
    body: z.strictObject({ cardJws: jwsText, customer: idOrName }),
    response: capacityHostView,
  }),
  importReport: operation({
    method: "POST",
    path: "/v1/provider/reports",
    summary:
      "Take a report file of a host: each signed text in it once, in any order, answered by signed receipts.",
    body: reportFileSchema,
    response: z.strictObject({
      receiptFile: receiptFileSchema,
      /** Never to be taken, or to be sent again behind what it needs. */
      refused: z.array(
        z.strictObject({
          text: z.enum(["acts", "usage"]),
          index: z.number().int(),
          code: z.string(),
          message: z.string(),
        }),
      ),
    }),
  }),
  listCapacityHosts: operation({
    method: "GET",
    path: "/v1/provider/hosts",
    summary: "The hosts that you have issued codes for, and what they have reported.",
    response: z.strictObject({ hosts: z.array(capacityStandView) }),
  }),
  showCapacityHost: operation({
    method: "GET",
    path: "/v1/provider/hosts/:host",
    summary: "One host that you have issued codes for, by its id.",
    params: z.strictObject({ host: idSchema("host") }),
    response: capacityStandView,
  }),
  demandBill: operation({
    method: "POST",
    path: "/v1/provider/hosts/:host/demands",
    summary: "Have a host say that it is time to bill: through its agent, or by its receipt file.",
    params: z.strictObject({ host: idSchema("host") }),
    response: z.strictObject({ hostId: idSchema("host"), demandedAt: instantText }),
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
  listUnconfirmedHosts: operation({
    method: "GET",
    path: "/v1/hosts/unconfirmed",
    summary: "Hosts that a provider has registered as yours and that you have not confirmed yet.",
    response: z.strictObject({ hosts: z.array(capacityHostView) }),
  }),
  confirmHost: operation({
    method: "POST",
    path: "/v1/hosts/:host/confirmation",
    summary:
      "Say that a registered host is yours and is billed to you: codes may be issued for it.",
    params: z.strictObject({ host: idSchema("host") }),
    body: z.strictObject({
      /** The key that was looked at. */
      key: z.string().max(64),
    }),
    response: capacityHostView,
  }),
  orderCapacity: operation({
    method: "POST",
    path: "/v1/lender/capacity/orders",
    summary: "Have a host of yours enable, return or divide capacity, as if it were typed there.",
    body: z.strictObject({
      orderId: idSchema("order"),
      host: idOrName,
      ordered: capacityOrderSchema,
    }),
    response: capacityOrderView,
  }),
  listCapacityOrders: operation({
    method: "GET",
    path: "/v1/lender/hosts/:host/capacity-orders",
    summary: "What you ordered at a host, newest first, and what became of it.",
    params: z.strictObject({ host: idOrName }),
    response: z.strictObject({ orders: z.array(capacityOrderView) }),
  }),
  listOwnCapacityHosts: operation({
    method: "GET",
    path: "/v1/lender/capacity/hosts",
    summary: "Your hosts that codes were issued for, and what they have reported to each provider.",
    response: z.strictObject({ hosts: z.array(capacityStandView) }),
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
