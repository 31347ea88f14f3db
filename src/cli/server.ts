import { join, resolve } from "node:path";
import { Option } from "commander";
import { InputError } from "../unit/quantity.ts";
import { readIfThere } from "./config/private-file.ts";
import type { Context } from "./context.ts";
import { parsePercentPpm } from "./option/percent.ts";
import { quantity } from "./option/quantity.ts";
import { parseServerUrl } from "./option/url.ts";
import { systemdUnit } from "./systemd-unit.ts";
import { untilTold } from "./until-told.ts";
import { verb } from "./verb.ts";

interface ServerInput {
  readonly data?: string;
  readonly listen: string;
  readonly publicUrl?: string;
  readonly databaseUrl?: string;
  readonly currency?: string;
  readonly timeZone?: string;
  readonly fee?: number;
  readonly newOperatorKey?: true;
  readonly printUnit?: true;
  readonly smtp?: string;
  readonly smtpFile?: string;
  readonly mailFrom?: string;
  readonly allowPrivateWebhooks?: true;
}

export const serverVerb = verb<ServerInput>({
  usage: "server",
  summary: "Run the management server until it is told to stop.",
  examples: [
    "sublet server",
    "sublet server --data /srv/sublet --listen 0.0.0.0:7070 --public-url https://sublet.example.org",
    "sublet server --data /var/lib/sublet/server --print-unit",
  ],
  more: "The first start prints the operator's key, once. Currency and time zone are settled at\nit; the fee is changed later with `sublet account fee`. Logs go to stderr.",
  speaksAs: false,
  options: [
    new Option("--data <folder>", "where it keeps its data; by default of this user"),
    new Option("--listen <address:port>", "where it listens").default("127.0.0.1:7070"),
    quantity("--public-url <url>", "how others reach it", parseServerUrl),
    new Option("--database-url <url>", "a PostgreSQL in place of its own (or DATABASE_URL)"),
    new Option("--currency <code>", "the one currency; EUR at the first start by default"),
    new Option("--time-zone <name>", "the billing time zone; UTC by default"),
    quantity(
      "--fee <percent>",
      "the operator's part of earnings at the first start; 0 by default",
      parsePercentPpm,
    ),
    quantity("--smtp <url>", "the mail server for bills (or SUBLET_SMTP)", withoutPassword),
    new Option("--smtp-file <file>", "a file that holds that URL, with its password").conflicts(
      "smtp",
    ),
    new Option("--mail-from <address>", "who bills come from (or SUBLET_MAIL_FROM)"),
    new Option("--allow-private-webhooks", "send bills into private networks, too"),
    new Option("--new-operator-key", "make one more operator's key, for one who lost it"),
    new Option("--print-unit", "print a systemd unit with these options, and start nothing"),
  ],
  run: async (context, input) => {
    const { environment } = context;
    if (input.printUnit) {
      const unit = systemdUnit({ verb: "server", typed: context.typed, dataFolder: input.data });
      return { json: { unit }, text: unit.trimEnd() };
    }
    // Keys and books are this user's alone, whatever folder they are put in.
    process.umask(0o077);
    const { runServer } = await import("../server/main.ts");
    const server = await runServer({
      dataFolder: resolve(input.data ?? join(environment.dataFolder, "server")),
      listen: input.listen,
      databaseUrl: input.databaseUrl ?? environment.databaseUrl,
      publicUrl: input.publicUrl,
      currency: input.currency,
      billingTimeZone: input.timeZone,
      operatorFeePpm: input.fee,
      newOperatorKey: input.newOperatorKey,
      smtp: await readSmtp(input, environment.smtp),
      mailFrom: input.mailFrom ?? environment.mailFrom,
      allowPrivateWebhooks: input.allowPrivateWebhooks,
      logFormat: context.json || !context.stderr.isTTY ? "json" : "lines",
    });
    announce(context, server);
    return { json: undefined, text: "", exitCode: await untilTold(server) };
  },
});

/** What is typed is seen by every user of this computer. */
function withoutPassword(url: string): string {
  if (!url.includes("@")) return url;
  throw new InputError(
    "give the mail server like smtp://mail.example.org:587; one with user and password is read from --smtp-file FILE or SUBLET_SMTP",
  );
}

async function readSmtp(
  { smtp, smtpFile }: Pick<ServerInput, "smtp" | "smtpFile">,
  ofEnvironment: string | undefined,
): Promise<string | undefined> {
  if (smtpFile === undefined) return smtp ?? ofEnvironment;
  const text = await readIfThere(smtpFile);
  if (text !== undefined) return text.trim();
  throw new InputError(
    `--smtp-file: ${smtpFile} is not there; write the mail server's URL into it`,
  );
}

function announce(
  { json, stdout }: Context,
  { url, operatorKey }: { readonly url: string; readonly operatorKey: string | null },
): void {
  if (json) {
    stdout.write(`${JSON.stringify({ url, operatorKey })}\n`);
    return;
  }
  stdout.write(`the server is at ${url}\n`);
  if (operatorKey !== null) {
    stdout.write(
      `The operator's key is shown this once. Type on your own computer:\n  sublet login ${url} --key ${operatorKey}\n`,
    );
  }
}
