import { answerCapacityOrder } from "./agent/answer-capacity-order.ts";
import { answerConsole } from "./agent/answer-console.ts";
import { enrolHost } from "./agent/enrol-host.ts";
import { readDesired } from "./agent/read-desired.ts";
import { report } from "./agent/report.ts";
import { reportCapacity } from "./agent/report-capacity.ts";
import { rotateHostKey } from "./agent/rotate-host-key.ts";
import { sendActs } from "./agent/send-acts.ts";
import { sendUsage } from "./agent/send-usage.ts";
import { tellTime } from "./agent/tell-time.ts";
import { bookLease } from "./client/book-lease.ts";
import { bookLeases } from "./client/book-leases.ts";
import { cancelRun } from "./client/cancel-run.ts";
import { dropOutputs } from "./client/drop-outputs.ts";
import { endLease } from "./client/end-lease.ts";
import { exportUsage } from "./client/export-usage.ts";
import { extendLease, quoteExtension } from "./client/extend-lease.ts";
import { finishRun } from "./client/finish-run.ts";
import { listBills } from "./client/list-bills.ts";
import { listLeases } from "./client/list-leases.ts";
import { listRuns, showRun } from "./client/list-runs.ts";
import { openRelay } from "./client/open-relay.ts";
import { readConsole } from "./client/read-console.ts";
import { readStatement } from "./client/read-statement.ts";
import { search } from "./client/search.ts";
import { setPower } from "./client/set-power.ts";
import { showAccount } from "./client/show-account.ts";
import { showBill } from "./client/show-bill.ts";
import { showLease } from "./client/show-lease.ts";
import { showUsage } from "./client/show-usage.ts";
import { totalBills } from "./client/total-bills.ts";
import type { OperationName } from "./contract/contract.ts";
import { listDeliveries, redeliver, showDelivery } from "./delivery/deliveries.ts";
import {
  listDeliveryTargets,
  removeDeliveryTarget,
  renewDeliverySecret,
  setDeliveryTarget,
} from "./delivery/targets.ts";
import type { Handler } from "./handler.ts";
import { addHost } from "./lender/add-host.ts";
import { confirmHost, listUnconfirmedHosts } from "./lender/confirm-host.ts";
import { drainHost } from "./lender/drain-host.ts";
import { listHosts } from "./lender/list-hosts.ts";
import { listOffers } from "./lender/list-offers.ts";
import { listOwnCapacity } from "./lender/list-own-capacity.ts";
import { listOwnCapacityHosts } from "./lender/list-own-capacity-hosts.ts";
import { listPartitions } from "./lender/list-partitions.ts";
import { listProviders } from "./lender/list-providers.ts";
import { listCapacityOrders, orderCapacity } from "./lender/order-capacity.ts";
import { removeHost } from "./lender/remove-host.ts";
import { removePartition } from "./lender/remove-partition.ts";
import { requestCapacity } from "./lender/request-capacity.ts";
import { setCarveOffer } from "./lender/set-carve-offer.ts";
import { setMaintenance } from "./lender/set-maintenance.ts";
import { setOffer } from "./lender/set-offer.ts";
import { setPartition } from "./lender/set-partition.ts";
import { showHost } from "./lender/show-host.ts";
import { withdrawOffer } from "./lender/withdraw-offer.ts";
import { addImage } from "./operator/add-image.ts";
import { addKey } from "./operator/add-key.ts";
import { addParty } from "./operator/add-party.ts";
import { deposit } from "./operator/deposit.ts";
import { listFees, setFee } from "./operator/fees.ts";
import { listKeys } from "./operator/list-keys.ts";
import { listParties } from "./operator/list-parties.ts";
import { listPayouts } from "./operator/list-payouts.ts";
import { listUsageFlags } from "./operator/list-usage-flags.ts";
import { readPartyStatement, showPartyAccount } from "./operator/party-account.ts";
import { payOut } from "./operator/pay-out.ts";
import { reverse } from "./operator/reverse.ts";
import { revokeKey } from "./operator/revoke-key.ts";
import { rotateServerKey } from "./operator/rotate-server-key.ts";
import { setCreditLimit } from "./operator/set-credit-limit.ts";
import { withdraw } from "./operator/withdraw.ts";
import { demandBill, listCapacityHosts, showCapacityHost } from "./provider/capacity-hosts.ts";
import { listCapacityTerms, setCapacityTerms } from "./provider/capacity-terms.ts";
import { importReport } from "./provider/import-report.ts";
import { issueCode } from "./provider/issue-code.ts";
import { declineCapacity, listCapacityRequests } from "./provider/list-capacity-requests.ts";
import { listCodes } from "./provider/list-codes.ts";
import { registerHost } from "./provider/register-host.ts";
import { showProviderCard } from "./provider/show-provider-card.ts";
import { claimCode } from "./public/claim-code.ts";
import { describeServer } from "./public/describe-server.ts";
import { listImages } from "./public/list-images.ts";
import { whoami } from "./public/whoami.ts";

export const HANDLERS: { readonly [N in OperationName]: Handler<N> } = {
  describeServer,
  whoami,
  listImages,
  addParty,
  listParties,
  addKey,
  listKeys,
  revokeKey,
  rotateServerKey,
  deposit,
  withdraw,
  reverse,
  setCreditLimit,
  showPartyAccount,
  readPartyStatement,
  listPayouts,
  payOut,
  listFees,
  setFee,
  addImage,
  listUsageFlags,
  addHost,
  listHosts,
  showHost,
  drainHost,
  setMaintenance,
  removeHost,
  setPartition,
  listPartitions,
  removePartition,
  setOffer,
  setCarveOffer,
  listOffers,
  withdrawOffer,
  search,
  bookLease,
  bookLeases,
  listRuns,
  showRun,
  finishRun,
  cancelRun,
  dropOutputs,
  listLeases,
  showLease,
  quoteExtension,
  extendLease,
  endLease,
  setPower,
  readConsole,
  openRelay,
  showAccount,
  readStatement,
  totalBills,
  listBills,
  showBill,
  showUsage,
  exportUsage,
  setDeliveryTarget,
  listDeliveryTargets,
  renewDeliverySecret,
  removeDeliveryTarget,
  listDeliveries,
  showDelivery,
  redeliver,
  enrolHost,
  rotateHostKey,
  tellTime,
  reportCapacity,
  readDesired,
  report,
  sendUsage,
  sendActs,
  answerConsole,
  claimCode,
  requestCapacity,
  listOwnCapacity,
  listUnconfirmedHosts,
  confirmHost,
  listProviders,
  listOwnCapacityHosts,
  orderCapacity,
  listCapacityOrders,
  answerCapacityOrder,
  importReport,
  listCapacityHosts,
  showCapacityHost,
  demandBill,
  showProviderCard,
  setCapacityTerms,
  listCapacityTerms,
  registerHost,
  listCapacityRequests,
  declineCapacity,
  issueCode,
  listCodes,
};
