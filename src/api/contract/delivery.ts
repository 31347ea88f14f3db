import { z } from "zod";
import { DELIVERY_STATES, TARGET_KINDS } from "../../billing/delivery/delivery.ts";
import { idSchema, instantText, nameText } from "../../unit/schema.ts";
import { operation } from "./operation.ts";
import { idOrName, page } from "./people.ts";

const partyName = z.strictObject({ id: idSchema("party"), name: nameText });

export const deliveryTargetView = z.strictObject({
  targetId: idSchema("target"),
  /** Whose bills go there. */
  party: partyName,
  /** The provider that set it, of whose bills alone it is; null: all bills of the party. */
  seller: partyName.nullable(),
  kind: z.enum(TARGET_KINDS),
  address: z.string(),
  createdAt: instantText,
  /** Since when nothing is sent there, and why. */
  disabledAt: instantText.nullable(),
  disabledReason: z.string().nullable(),
});

export const deliveryView = z.strictObject({
  deliveryId: idSchema("delivery"),
  billId: idSchema("bill"),
  target: deliveryTargetView,
  state: z.enum(DELIVERY_STATES),
  queuedAt: instantText,
  /** When it is tried next; null when it is not. */
  dueAt: instantText.nullable(),
  settledAt: instantText.nullable(),
  attempts: z.number().int().nonnegative(),
  /** Why there is no further attempt. */
  failure: z.string().nullable(),
});

const attemptView = z.strictObject({
  number: z.number().int().positive(),
  at: instantText,
  outcome: z.enum(["delivered", "failed"]),
  /** Of HTTP or SMTP; null when there was no answer. */
  status: z.number().int().nullable(),
  /** In the receiver's words, cut. */
  reply: z.string(),
});

/** Shown at this one answer and never again. */
const secret = z.string().nullable();
const targetParams = z.strictObject({ targetId: idSchema("target") });
const deliveryParams = z.strictObject({ deliveryId: idSchema("delivery") });

export const deliveryOperations = {
  setDeliveryTarget: operation({
    method: "PUT",
    path: "/v1/bill-targets",
    summary:
      "Send your bills there from now on. Repeating it turns a target on again. The operator does it for any party, a provider for the bills that it makes for one.",
    body: z.strictObject({
      kind: z.enum(TARGET_KINDS),
      /** A URL or a mail address. */
      address: z.string().max(4000),
      /** Whose bills; yours when it is left out. */
      party: idOrName.optional(),
    }),
    response: z.strictObject({ target: deliveryTargetView, secret }),
  }),
  listDeliveryTargets: operation({
    method: "GET",
    path: "/v1/bill-targets",
    summary: "Where your bills go, and where those go that you make; the operator's are all.",
    response: z.strictObject({ targets: z.array(deliveryTargetView) }),
  }),
  renewDeliverySecret: operation({
    method: "POST",
    path: "/v1/bill-targets/:targetId/secret",
    summary: "Another secret for a webhook; for a day messages are signed by the one before, too.",
    params: targetParams,
    response: z.strictObject({ target: deliveryTargetView, secret }),
  }),
  removeDeliveryTarget: operation({
    method: "DELETE",
    path: "/v1/bill-targets/:targetId",
    summary: "Send no more bills there; what waits for it fails.",
    params: targetParams,
    response: z.strictObject({ targetId: idSchema("target") }),
  }),
  listDeliveries: operation({
    method: "GET",
    path: "/v1/bill-deliveries",
    summary: "Bills that were sent, wait or failed, newest first.",
    query: page.extend({
      state: z.enum(DELIVERY_STATES).optional(),
      billId: idSchema("bill").optional(),
    }),
    response: z.strictObject({
      deliveries: z.array(deliveryView),
      nextCursor: z.string().nullable(),
    }),
  }),
  showDelivery: operation({
    method: "GET",
    path: "/v1/bill-deliveries/:deliveryId",
    summary: "One delivery with its attempts, the newest first.",
    params: deliveryParams,
    response: z.strictObject({ delivery: deliveryView, attempts: z.array(attemptView) }),
  }),
  redeliver: operation({
    method: "POST",
    path: "/v1/bill-deliveries/:deliveryId/again",
    summary: "Send it once more, under the same id.",
    params: deliveryParams,
    response: deliveryView,
  }),
};
