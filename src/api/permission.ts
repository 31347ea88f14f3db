import type { Role } from "../party/role.ts";
import type { OperationName } from "./contract/contract.ts";

/**
 * Who may call: anyone at all, a host's agent, any party with a key, either of these two (`known`),
 * or parties with a role.
 */
export type Permission = "anyone" | "agent" | "party" | "known" | readonly Role[];

/** The one table of who may do what. Whose things one sees is the operation's own question. */
export const PERMISSIONS = {
  describeServer: "anyone",
  whoami: "party",
  // An agent looks up the name of an image for its owner's own guest.
  listImages: "known",

  addParty: ["operator"],
  listParties: ["operator"],
  addKey: ["operator"],
  listKeys: ["operator"],
  revokeKey: ["operator"],
  rotateServerKey: ["operator"],
  deposit: ["operator"],
  withdraw: ["operator"],
  reverse: ["operator"],
  setCreditLimit: ["operator"],
  showPartyAccount: ["operator"],
  readPartyStatement: ["operator"],
  listPayouts: ["operator"],
  payOut: ["operator"],
  listFees: ["operator"],
  setFee: ["operator"],
  addImage: ["operator"],
  listUsageFlags: ["operator"],

  addHost: ["lender"],
  listHosts: ["lender"],
  showHost: ["lender"],
  drainHost: ["lender"],
  setMaintenance: ["lender"],
  removeHost: ["lender"],
  setPartition: ["lender"],
  listPartitions: ["lender"],
  removePartition: ["lender"],
  setOffer: ["lender"],
  setCarveOffer: ["lender"],
  listOffers: ["lender"],
  withdrawOffer: ["lender"],

  search: ["client"],
  bookLease: ["client"],
  bookLeases: ["client"],
  quoteExtension: ["client"],
  extendLease: ["client"],
  endLease: ["client"],
  setPower: ["client"],
  readConsole: ["client"],
  openRelay: ["client"],
  listRuns: ["client"],
  showRun: ["client"],
  finishRun: ["client"],
  cancelRun: ["client"],
  dropOutputs: ["client"],
  listLeases: "party",
  showLease: "party",
  showAccount: "party",
  readStatement: "party",
  totalBills: "party",
  listBills: "party",
  showBill: "party",
  showUsage: "party",
  exportUsage: "party",

  // Of one's own bills; the operator's are everybody's, and a provider's those that it makes.
  setDeliveryTarget: "party",
  listDeliveryTargets: "party",
  renewDeliverySecret: "party",
  removeDeliveryTarget: "party",
  listDeliveries: "party",
  showDelivery: "party",
  redeliver: "party",

  enrolHost: "anyone",
  // Its two signatures say who asks; the token would be by a key that may be gone already.
  rotateHostKey: "anyone",
  tellTime: "agent",
  reportCapacity: "agent",
  readDesired: "agent",
  report: "agent",
  sendUsage: "agent",
  sendActs: "agent",
  answerConsole: "agent",
  answerCapacityOrder: "agent",

  // The number itself is the permission.
  claimCode: "anyone",
  requestCapacity: ["lender"],
  listOwnCapacity: ["lender"],
  // Whoever would be billed, and the operator for those who are not on this server.
  listUnconfirmedHosts: "party",
  confirmHost: "party",
  listProviders: ["lender"],
  listOwnCapacityHosts: ["lender"],
  orderCapacity: ["lender"],
  listCapacityOrders: ["lender"],
  showProviderCard: ["provider"],
  setCapacityTerms: ["provider"],
  listCapacityTerms: ["provider"],
  registerHost: ["provider"],
  listCapacityRequests: ["provider"],
  declineCapacity: ["provider"],
  importReport: ["provider"],
  listCapacityHosts: ["provider"],
  showCapacityHost: ["provider"],
  demandBill: ["provider"],
  issueCode: ["provider"],
  listCodes: ["provider"],
} as const satisfies Record<OperationName, Permission>;

/** The WebSockets: see `server/upgrade.ts`. */
export const SOCKET_PERMISSIONS = {
  "/v1/agent/connection": "agent",
  "/v1/agent/tunnels/:joinId": "agent",
  "/v1/client/leases/:leaseId/relay": ["client"],
} as const satisfies Record<string, Permission>;

/** The routes beside the JSON contract. */
export const OTHER_PERMISSIONS = {
  "GET /healthz": "anyone",
  "GET /readyz": "anyone",
  "GET /metrics": "anyone",
  "GET /v1/openapi.json": "anyone",
  // Agents fetch before they can say who they are for; a digest tells nothing, and cannot be guessed.
  "GET /images/:digest": "anyone",
  "PUT /v1/operator/blobs/:digest": ["operator"],
  "GET /v1/leases/:leaseId/changes": "party",
  "PUT /v1/agent/leases/:leaseId/outputs/:digest": "agent",
  "GET /v1/client/leases/:leaseId/outputs": ["client"],
} as const satisfies Record<string, Permission>;
