import { createTransport } from "nodemailer";
import type SMTPTransport from "nodemailer/lib/smtp-transport";
import { InputError } from "../../unit/quantity.ts";
import { checkMailAddress } from "./address.ts";
import type { DeliveredBill, Outcome } from "./delivery.ts";

/** For a step of the conversation, and for all of it. */
const STEP_TIMEOUT_MS = 10_000;
const TIMEOUT_MS = 60_000;

/** How this server sends mail. */
export interface Mailer {
  readonly options: SMTPTransport.Options;
  readonly from: string;
  readonly timeoutMs?: number;
}

/**
 * `smtp://user:password@host:587`, or `smtps://` for TLS from the first byte. `?ca=FILE` names the
 * certificate of a mail server that no public authority knows; `readFile` reads it.
 */
export function readMailer(
  { url: text, from }: { readonly url: string; readonly from: string | undefined },
  readFile: (path: string) => string,
): Mailer {
  const url = URL.parse(text);
  if (url === null || !/^smtps?:$/.test(url.protocol) || url.hostname === "") {
    // Without its text: there is a password in it.
    throw new InputError(
      "--smtp is not the address of a mail server; write it like smtp://mail.example.org:587",
    );
  }
  if (url.username !== "" && url.password === "") {
    throw new InputError("the mail server's address has a user and no password; give both or none");
  }
  if (from === undefined || !checkMailAddress(from).ok) {
    throw new InputError("mail needs a sender; give one with --mail-from bills@example.org");
  }
  const secure = url.protocol === "smtps:";
  const [user, pass] = [url.username, url.password].map(decodeURIComponent);
  const ca = url.searchParams.get("ca");
  return {
    from,
    options: {
      host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
      port: url.port === "" ? (secure ? 465 : 587) : Number(url.port),
      secure,
      // A password never goes over an open line.
      ...(user ? { auth: { user, pass: pass ?? "" }, requireTLS: !secure } : {}),
      ...(ca === null ? {} : { tls: { ca: readFile(ca) } }),
      connectionTimeout: STEP_TIMEOUT_MS,
      greetingTimeout: STEP_TIMEOUT_MS,
      socketTimeout: STEP_TIMEOUT_MS,
      dnsTimeout: STEP_TIMEOUT_MS,
      disableFileAccess: true,
      disableUrlAccess: true,
    },
  };
}

export interface BillMail {
  readonly deliveryId: string;
  readonly to: string;
  readonly serverName: string;
  readonly bill: DeliveredBill;
}

/** One attempt. What the mail server refuses for good (5xx) is not sent again by itself. */
export async function sendMail(mailer: Mailer, mail: BillMail): Promise<Outcome> {
  const transport = createTransport(mailer.options);
  const { promise: late, reject } = Promise.withResolvers<never>();
  const { timeoutMs = TIMEOUT_MS } = mailer;
  const timer = setTimeout(
    () => reject(new Error(`the mail server took longer than ${timeoutMs / 1000} s`)),
    timeoutMs,
  );
  try {
    const sent = await Promise.race([transport.sendMail(toMessage(mailer, mail)), late]);
    return { outcome: "delivered", status: statusOf(sent.response), reply: sent.response };
  } catch (error) {
    return failureOf(error, mailer);
  } finally {
    clearTimeout(timer);
    transport.close();
  }
}

function toMessage(mailer: Mailer, { deliveryId, to, serverName, bill }: BillMail) {
  const { billId, statement, total } = bill;
  const text = [
    `${serverName} has closed a bill: ${total} (${billId}).`,
    statement,
    `Attached: the same as ${billId}.txt, and ${billId}.json with all that the bill rests on. Whoever`,
    `has Sublet checks it without asking this server: sublet bill verify ${billId}.json`,
  ].join("\n\n");
  const domain = mailer.from.slice(mailer.from.lastIndexOf("@") + 1);
  return {
    from: { name: "Sublet", address: mailer.from },
    to: { name: "", address: to },
    subject: `Bill of ${serverName}: ${total}`,
    messageId: `<${deliveryId}@${domain}>`,
    headers: { "Auto-Submitted": "auto-generated" },
    text: `${text}\n`,
    attachments: [
      {
        filename: `${billId}.txt`,
        contentType: "text/plain; charset=utf-8",
        content: `${statement}\n`,
      },
      {
        filename: `${billId}.json`,
        contentType: "application/json",
        content: `${JSON.stringify(bill.evidence, null, 2)}\n`,
      },
    ],
  };
}

function failureOf(error: unknown, { options }: Mailer): Outcome {
  const { code, responseCode, response, message } = error as SmtpError;
  const words = response ?? message ?? "it could not be sent";
  const pass = options.auth && "pass" in options.auth ? options.auth.pass : undefined;
  const reply = pass ? words.replaceAll(pass, "…") : words;
  // A refused login is the operator's to put right, not a word about this message.
  const isOfMessage = code === "EENVELOPE" || code === "EMESSAGE";
  const isForGood = isOfMessage && (responseCode ?? 0) >= 500;
  const next = isForGood ? "give-up" : "retry";
  return { outcome: "failed", status: responseCode ?? null, reply, next };
}

interface SmtpError {
  readonly code?: string;
  readonly responseCode?: number;
  readonly response?: string;
  readonly message?: string;
}

function statusOf(response: string): number | null {
  const status = Number(/^\d{3}/.exec(response)?.[0]);
  return status > 0 ? status : null;
}
