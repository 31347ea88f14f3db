/**
 * Made from the migrated schema by `npm run schema`.
 * Please do not edit it manually.
 */

import type { ColumnType } from "kysely";

export type Generated<T> =
  T extends ColumnType<infer S, infer I, infer U>
    ? ColumnType<S, I | undefined, U>
    : ColumnType<T, T | undefined, T>;

export type Int8 = ColumnType<bigint, bigint | number, bigint | number>;

export type Json = JsonValue;

export type JsonArray = JsonValue[];

export type JsonObject = {
  [x: string]: JsonValue | undefined;
};

export type JsonPrimitive = boolean | number | string | null;

export type JsonValue = JsonArray | JsonObject | JsonPrimitive;

export type Numeric = ColumnType<string, number | string, number | string>;

export type Timestamp = ColumnType<Date, Date | string, Date | string>;

export interface Account {
  accountId: string;
  kind: string;
  partyId: string | null;
}

export interface ApiKey {
  createdAt: Timestamp;
  keyId: string;
  label: string;
  partyId: string;
  revokedAt: Timestamp | null;
  secretSha256: Buffer;
}

export interface Bill {
  actSeq: Int8 | null;
  billId: string;
  clientPartyId: string;
  closedAt: Timestamp;
  document: Json;
  evidenceSeq: Int8;
  hostId: string;
  jws: string;
  kind: string;
  leaseId: string | null;
  lenderPartyId: string;
  number: number;
  remainderMicros: Int8;
  totalMicros: Int8;
  untilAt: Timestamp | null;
}

export interface CapacityAct {
  act: Json;
  batchId: string;
  hash: string;
  hostId: string;
  kind: string;
  receivedAt: Timestamp;
  seq: Int8;
}

export interface CapacityActBatch {
  batchId: string;
  headAt: Timestamp;
  headHash: string;
  headRunNs: Numeric;
  headSeq: Int8;
  hostId: string;
  jws: string;
  receivedAt: Timestamp;
}

export interface CapacityChain {
  actSeq: Int8;
  chainId: string;
  codeId: string;
  hostId: string;
  mode: string;
  partitionId: string;
  partitionName: string;
  providerPartyId: string;
  quantity: Int8;
  resource: string;
  serviceId: string;
}

export interface CapacityCode {
  claimedAt: Timestamp | null;
  claimedBySha256: Buffer | null;
  claimExpiresAt: Timestamp | null;
  claimSha256: Buffer | null;
  code: Json;
  codeId: string;
  customerPartyId: string;
  hostId: string;
  issuedAt: Timestamp;
  jws: string;
  providerPartyId: string;
  requestId: string | null;
  sequence: number;
}

export interface CapacityDemand {
  demandedAt: Timestamp;
  hostId: string;
  providerPartyId: string;
}

export interface CapacityDrawn {
  codeId: string;
  quantity: Numeric;
}

export interface CapacityDue {
  dueAt: Timestamp;
  hostId: string;
  providerPartyId: string;
}

export interface CapacityOrder {
  answeredAt: Timestamp | null;
  hostId: string;
  message: string | null;
  ordered: Json;
  orderedAt: Timestamp;
  orderedBy: string;
  orderId: string;
  outcome: string | null;
}

export interface CapacityPeriodTotal {
  chainId: string;
  cpuNs: Numeric;
  firstSeq: Int8;
  periodStart: Timestamp;
  rule: string;
  threshold: Json | null;
}

export interface CapacityProgress {
  chainId: string;
  contiguousSeq: Int8;
  finalSeq: Int8 | null;
  lastSeq: Int8;
}

export interface CapacityRequest {
  createdAt: Timestamp;
  forSeconds: Int8;
  hostId: string;
  providerPartyId: string;
  quantity: Int8;
  requestId: string;
  requestJws: string | null;
  resource: string;
  settledAt: Timestamp | null;
  state: Generated<string>;
}

export interface CapacityTerms {
  providerPartyId: string;
  resource: string;
  setAt: Timestamp;
  terms: Json;
}

export interface Charge {
  billId: string;
  chainId: string;
  priceMicrosPerHour: Int8;
  quantity: Numeric;
  resource: string;
  seq: Int8;
}

export interface ClaimAttempt {
  address: string;
  at: Timestamp;
  claimAttemptId: Generated<Int8>;
}

export interface ConsoleRequest {
  answeredAt: Timestamp | null;
  consoleRequestId: string;
  content: Buffer | null;
  hostId: string;
  leaseId: string;
  requestedAt: Timestamp;
}

export interface Delivery {
  attempts: Generated<number>;
  attemptsBefore: Generated<number>;
  billId: string;
  claimedUntil: Timestamp | null;
  deliveryId: string;
  dueAt: Timestamp;
  failure: string | null;
  queuedAt: Timestamp;
  settledAt: Timestamp | null;
  state: string;
  targetId: string;
}

export interface DeliveryAttempt {
  at: Timestamp;
  deliveryId: string;
  number: number;
  outcome: string;
  reply: string;
  status: number | null;
}

export interface DeliveryTarget {
  address: string;
  createdAt: Timestamp;
  disabledAt: Timestamp | null;
  disabledReason: string | null;
  kind: string;
  partyId: string;
  previousSecret: Buffer | null;
  previousSecretUntil: Timestamp | null;
  removedAt: Timestamp | null;
  secret: Buffer | null;
  sellerPartyId: string | null;
  setByPartyId: string;
  targetId: string;
}

export interface EnrolmentToken {
  expiresAt: Timestamp;
  hostId: string;
  secretSha256: Buffer;
  usedAt: Timestamp | null;
  usedByThumbprint: string | null;
}

export interface Hold {
  amountMicros: Int8;
  createdAt: Timestamp;
  leaseId: string;
  partyId: string;
  releasedAt: Timestamp | null;
}

export interface Host {
  agentPublicJwk: Json | null;
  architecture: string | null;
  baseCpuMilli: Generated<number>;
  baseCpuMilliMost: Generated<number>;
  baseDiskBytes: Generated<Int8>;
  baseMemoryBytes: Generated<Int8>;
  cardJws: string | null;
  confirmedAt: Timestamp | null;
  confirmedByPartyId: string | null;
  createdAt: Timestamp;
  desiredGeneration: Generated<Int8>;
  drainedAt: Timestamp | null;
  enrolledAt: Timestamp | null;
  facts: Json | null;
  hostId: string;
  lenderPartyId: string;
  maintenanceFrom: Timestamp | null;
  maintenanceUntil: Timestamp | null;
  name: string;
  presence: Generated<string>;
  presenceSince: Timestamp | null;
  removedAt: Timestamp | null;
  reserveCpuMilli: Generated<number>;
  reserveDiskBytes: Generated<Int8>;
  reserveMemoryBytes: Generated<Int8>;
  seenAt: Timestamp | null;
  standbyCpuMilli: Generated<number>;
  standbyMemoryBytes: Generated<Int8>;
}

export interface HostEvent {
  at: Timestamp;
  detail: Generated<Json>;
  hostId: string;
  kind: string;
  seq: Generated<Int8>;
}

export interface HostKey {
  fromAt: Timestamp;
  hostId: string;
  kid: string;
  publicJwk: Json;
  rotationJws: string | null;
  untilAt: Timestamp | null;
}

export interface Image {
  architecture: string;
  createdAt: Timestamp;
  digest: string;
  imageId: string;
  manifest: Json;
  memoryBytesMin: Int8;
  name: string;
  version: string;
}

export interface LateUsage {
  leaseId: string;
  since: Timestamp;
}

export interface Lease {
  access: Json | null;
  bookingSha256: string;
  clientPartyId: string;
  cpuMilli: number;
  cpuMode: string;
  createdAt: Timestamp;
  diskBytes: Int8;
  endedAt: Timestamp | null;
  endingAt: Timestamp | null;
  endJws: string | null;
  grantJws: string | null;
  hostId: string;
  imageId: string;
  internet: Generated<boolean>;
  leaseId: string;
  leaseSecondsMax: number;
  lenderPartyId: string;
  memoryBytes: Int8;
  offerId: string;
  outcome: string | null;
  partitionId: string;
  period: string;
  powerDoneGeneration: Generated<number>;
  powerGeneration: Generated<number>;
  powerJws: string | null;
  powerState: Generated<string>;
  preparingAt: Timestamp | null;
  quote: Json;
  readyAt: Timestamp | null;
  removalJws: string | null;
  sshPublicKey: string;
  state: string;
  tariff: Json;
  timeZone: string;
  usageSeqFinal: Int8 | null;
  windows: Json;
  wipeReceiptJws: string | null;
}

export interface LeaseEvent {
  at: Timestamp;
  detail: Generated<Json>;
  kind: string;
  leaseId: string;
  reason: string | null;
  reportId: string | null;
  seq: number;
}

export interface LeaseExtension {
  acknowledgementJws: string | null;
  additionalMicros: Int8;
  createdAt: Timestamp;
  endsAt: Timestamp;
  endsBefore: Timestamp;
  extensionId: string;
  grantJws: string | null;
  leaseId: string;
  quote: Json;
  reason: string | null;
  requestSha256: string;
  sequence: number | null;
  settledAt: Timestamp | null;
  state: string;
}

export interface LedgerEntry {
  accountId: string;
  amountMicros: Int8;
  transactionId: string;
}

export interface LedgerTransaction {
  at: Timestamp;
  cause: string;
  kind: string;
  memo: Generated<string>;
  postedBy: string | null;
  reverses: string | null;
  transactionId: string;
}

export interface LentCode {
  codeId: string;
  hostId: string;
  lentAt: Timestamp;
  providerPartyId: string;
  quantity: Int8;
  reported: boolean;
  resource: string;
  resourceTime: Numeric;
  validity: string;
}

export interface Offer {
  borrowerPartyIds: Generated<string[]>;
  borrowers: Generated<string>;
  carveCpuMode: string | null;
  carveMaxCpuMilli: number | null;
  carveMaxDiskBytes: Int8 | null;
  carveMaxMemoryBytes: Int8 | null;
  createdAt: Timestamp;
  hostId: string;
  internet: Generated<boolean>;
  labels: Generated<Json>;
  leaseSecondsMax: number;
  leaseSecondsMin: number;
  lenderPartyId: string;
  offerId: string;
  partitionId: string | null;
  priceMicrosPerCoreHour: Int8;
  priceMicrosPerDiskGibHour: Int8;
  priceMicrosPerHour: Int8;
  priceMicrosPerMemoryGibHour: Int8;
  priceMicrosPerSharedCoreHour: Generated<Int8>;
  timeZone: Generated<string>;
  windows: Generated<Json>;
  withdrawnAt: Timestamp | null;
}

export interface OperatorFee {
  feePpm: number | null;
  lenderPartyId: string | null;
  setAt: Timestamp;
  setBy: string | null;
  version: Generated<number>;
}

export interface Partition {
  carved: Generated<boolean>;
  cpuMilli: number;
  cpuMode: string;
  createdAt: Timestamp;
  diskBytes: Int8;
  generation: Generated<Int8>;
  hostId: string;
  lendable: boolean;
  maxCpuMilli: number;
  maxDiskBytes: Int8;
  maxMemoryBytes: Int8;
  memoryBytes: Int8;
  minCpuMilli: number;
  minDiskBytes: Int8;
  minMemoryBytes: Int8;
  name: string;
  partitionId: string;
  removedAt: Timestamp | null;
}

export interface Party {
  createdAt: Timestamp;
  creditLimitMicros: Generated<Int8>;
  name: string;
  partyId: string;
  roles: string[];
}

export interface ProviderKey {
  createdAt: Timestamp;
  kid: string;
  partyId: string;
  privateJwk: Json;
  publicJwk: Json;
  retiredAt: Timestamp | null;
}

export interface RelayTicket {
  createdAt: Timestamp;
  expiresAt: Timestamp;
  keyId: string;
  leaseId: string;
  ticketSha256: Buffer;
  usedAt: Timestamp | null;
}

export interface Reservation {
  cpuMilli: number;
  diskBytes: Int8;
  hostId: string;
  leaseId: string | null;
  memoryBytes: Int8;
  partitionId: string;
  period: string;
  reservationId: string;
  standbyCpuMilli: Generated<number>;
  standbyMemoryBytes: Generated<Int8>;
}

export interface Run {
  cancelledAt: Timestamp | null;
  clientPartyId: string;
  command: string;
  createdAt: Timestamp;
  exitCode: number | null;
  finishedAt: Timestamp | null;
  kind: string;
  runId: string;
}

export interface RunLease {
  exitCode: number | null;
  exitedAt: Timestamp | null;
  leaseId: string;
  outboxBytes: Int8 | null;
  outputsBytes: Int8 | null;
  outputsDigest: string | null;
  outputsGone: string | null;
  outputsUntil: Timestamp | null;
  runId: string;
  sealKey: string | null;
  startedAt: Timestamp | null;
}

export interface Setting {
  billingTimeZone: string;
  createdAt: Timestamp;
  currency: string;
  minorUnitDigits: number;
  onlyOne: Generated<boolean>;
  serverId: string;
}

export interface SigningKey {
  createdAt: Timestamp;
  kid: string;
  privateJwk: Json;
  publicJwk: Json;
  retiredAt: Timestamp | null;
  successionJws: string | null;
}

export interface StandbyReservation {
  codeId: string;
  hostId: string;
  quantity: Int8;
  reservationId: string;
}

export interface UsageBatch {
  batchId: string;
  chainId: string;
  hostId: string;
  jws: string;
  receivedAt: Timestamp;
}

export interface UsageRecord {
  batchId: string;
  chainId: string;
  cpuMilli: number;
  cpuNs: Numeric;
  deliveredNs: Numeric;
  diskBytes: Int8;
  elapsedNs: Numeric;
  final: boolean;
  fromAt: Timestamp;
  gap: boolean;
  hash: string;
  memoryBytes: Int8;
  previousHash: string;
  record: Json;
  seq: Int8;
  toAt: Timestamp;
}

export interface DB {
  account: Account;
  apiKey: ApiKey;
  bill: Bill;
  capacityAct: CapacityAct;
  capacityActBatch: CapacityActBatch;
  capacityChain: CapacityChain;
  capacityCode: CapacityCode;
  capacityDemand: CapacityDemand;
  capacityDrawn: CapacityDrawn;
  capacityDue: CapacityDue;
  capacityOrder: CapacityOrder;
  capacityPeriodTotal: CapacityPeriodTotal;
  capacityProgress: CapacityProgress;
  capacityRequest: CapacityRequest;
  capacityTerms: CapacityTerms;
  charge: Charge;
  claimAttempt: ClaimAttempt;
  consoleRequest: ConsoleRequest;
  delivery: Delivery;
  deliveryAttempt: DeliveryAttempt;
  deliveryTarget: DeliveryTarget;
  enrolmentToken: EnrolmentToken;
  hold: Hold;
  host: Host;
  hostEvent: HostEvent;
  hostKey: HostKey;
  image: Image;
  lateUsage: LateUsage;
  lease: Lease;
  leaseEvent: LeaseEvent;
  leaseExtension: LeaseExtension;
  ledgerEntry: LedgerEntry;
  ledgerTransaction: LedgerTransaction;
  lentCode: LentCode;
  offer: Offer;
  operatorFee: OperatorFee;
  partition: Partition;
  party: Party;
  providerKey: ProviderKey;
  relayTicket: RelayTicket;
  reservation: Reservation;
  run: Run;
  runLease: RunLease;
  setting: Setting;
  signingKey: SigningKey;
  standbyReservation: StandbyReservation;
  usageBatch: UsageBatch;
  usageRecord: UsageRecord;
}
