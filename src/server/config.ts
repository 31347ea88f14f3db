import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Mailer, readMailer } from "../billing/delivery/mail.ts";
import type { LogFormat, LogLevel } from "../process/log.ts";
import { InputError } from "../unit/quantity.ts";
import type { Books } from "./setup-store.ts";

/** What the command line says. */
export interface ServerOptions {
  readonly dataFolder: string;
  /** `address:port`; port 0 chooses one. */
  readonly listen: string;
  /** Where agents and clients reach this server, when that is not where it listens. */
  readonly publicUrl?: string | undefined;
  readonly databaseUrl?: string | undefined;
  /** The first start's word counts: later ones must agree. */
  readonly currency?: string | undefined;
  readonly billingTimeZone?: string | undefined;
  /** Of the first start; later it is changed while the server runs. */
  readonly operatorFeePpm?: number | undefined;
  readonly logLevel?: LogLevel | undefined;
  readonly logFormat?: LogFormat | undefined;
  /** Makes one more operator's key, for one who lost it. */
  readonly newOperatorKey?: boolean | undefined;
  /** `smtp://user:password@host:587`; without it no mail is sent. */
  readonly smtp?: string | undefined;
  readonly mailFrom?: string | undefined;
  /** Webhooks may lead into private networks, and be without https there. */
  readonly allowPrivateWebhooks?: boolean | undefined;
}

export interface ServerConfig {
  readonly dataFolder: string;
  readonly databaseFolder: string;
  readonly blobFolder: string;
  readonly outputsFolder: string;
  readonly host: string;
  readonly port: number;
  readonly publicUrl: string | undefined;
  readonly databaseUrl: string | undefined;
  readonly books: Books;
  readonly operatorFeePpm: number | undefined;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  readonly newOperatorKey: boolean;
  readonly mailer: Mailer | null;
  readonly allowPrivateWebhooks: boolean;
}

export function toServerConfig(options: ServerOptions): ServerConfig {
  const { host, port } = readListen(options.listen);
  return {
    dataFolder: options.dataFolder,
    databaseFolder: join(options.dataFolder, "database"),
    blobFolder: join(options.dataFolder, "images"),
    outputsFolder: join(options.dataFolder, "outputs"),
    host,
    port,
    publicUrl: options.publicUrl?.replace(/\/+$/, ""),
    databaseUrl: options.databaseUrl,
    books: {
      currency: options.currency && readCurrency(options.currency),
      billingTimeZone: options.billingTimeZone && readTimeZone(options.billingTimeZone),
    },
    operatorFeePpm: options.operatorFeePpm,
    logLevel: options.logLevel ?? "info",
    logFormat: options.logFormat ?? "json",
    newOperatorKey: options.newOperatorKey ?? false,
    mailer:
      options.smtp === undefined
        ? null
        : readMailer({ url: options.smtp, from: options.mailFrom }, readCertificate),
    allowPrivateWebhooks: options.allowPrivateWebhooks ?? false,
  };
}

function readListen(text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port > 65_535) {
    throw new InputError(`"${text}" is not where to listen; write it like 127.0.0.1:7070`);
  }
  return { host, port };
}

function readCertificate(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code;
    throw new InputError(
      `the mail server's certificate ${path} cannot be read (${why}); set ca=FILE`,
    );
  }
}

function readCurrency(currency: string): string {
  if (/^[A-Z]{3}$/.test(currency)) return currency;
  throw new InputError(`"${currency}" is not a currency; write its three letters, like EUR`);
}

function readTimeZone(zone: string): string {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: zone }).resolvedOptions().timeZone;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new InputError(`"${zone}" is not a time zone; write it like UTC or Europe/Berlin`);
  }
}
