import type { Logger } from "pino";
import type { Database } from "../database/connect.ts";
import type { LiveServerKeys } from "../enablement/signing-key-store.ts";
import type { BlobStore } from "../image/blob-store.ts";
import type { MarketTerms } from "../market/offer.ts";
import type { Clock } from "../unit/clock.ts";
import type { DeliverySettings } from "./delivery/settings.ts";

/** Everything that the server's operations and passes work with; built once, passed by hand. */
export interface ServerContext {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Logger;
  readonly blobs: BlobStore;
  /** What runs left behind: encrypted to their clients, and never served as an image. */
  readonly outputs: BlobStore;
  readonly serverId: string;
  readonly keys: LiveServerKeys;
  readonly terms: MarketTerms;
  readonly billingTimeZone: string;
  /** Where agents and clients reach this server. Known once it listens. */
  readonly publicUrl: () => string;
  readonly upSince: Date;
  /** Runs the passes now instead of at their next turn. */
  readonly wake: () => void;
  readonly changes: LeaseChanges;
  readonly delivery: DeliverySettings;
}

/** Tells who waits that something happened to a lease, on whichever server it happened. */
export interface LeaseChanges {
  subscribe(leaseId: string, changed: () => void): () => void;
}
