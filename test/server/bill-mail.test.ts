import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { SMTPServerOptions } from "smtp-server";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type Mailer, readMailer } from "../../src/billing/delivery/mail.ts";
import type { BillId } from "../../src/unit/id.ts";
import { runCli } from "../cli/run-cli.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";
import { billedLease, deliver, later, queueLater } from "./billed.ts";
import { makeCertificate } from "./certificate.ts";
import { type Market, openMarket } from "./fake-host.ts";
import { codeOf, startTestServer, type TestServer } from "./harness.ts";
import { readMail, startMailServer } from "./mail-server.ts";

const FROM = "bills@sublet.example";
const folder = makeTempFolder("bill-mail");
let server: TestServer;
let market: Market;
let billId: BillId;
let standing: Awaited<ReturnType<typeof startMailServer>>;
let certificate: { key: string; cert: string };
beforeAll(async () => {
  certificate = await makeCertificate();
  standing = await startMailServer({ hideSTARTTLS: true });
  const smtp = `smtp://127.0.0.1:${standing.port}`;
  server = await startTestServer(undefined, { smtp, mailFrom: FROM });
  market = await openMarket(server);
  billId = await billedLease(market);
});
afterAll(async () => {
  await server.stop();
  await standing.stop();
  folder.remove();
});
afterEach(async () => {
  const { targets } = await market.client.call("listDeliveryTargets");
  for (const { targetId } of targets) {
    await market.client.call("removeDeliveryTarget", { params: { targetId } });
  }
});

const show = (deliveryId: `delivery_${string}`) =>
  market.client.call("showDelivery", { params: { deliveryId } });

async function queueFor(address: string) {
  const body = { kind: "mail" as const, address };
  const { target, secret } = await market.client.call("setDeliveryTarget", { body });
  expect(secret).toBeNull();
  await queueLater(market, billId);
  const { deliveries } = await market.client.call("listDeliveries", { query: {} });
  const found = deliveries.find((one) => one.target.targetId === target.targetId);
  if (!found) throw new Error("nothing was queued");
  return found.deliveryId;
}

function mailerTo(port: number, { user = "", query = "", scheme = "smtp" } = {}): Mailer {
  const url = `${scheme}://${user}localhost:${port}${query}`;
  return readMailer({ url, from: FROM }, () => certificate.cert);
}

/** One attempt at a mail server of this kind. */
async function attemptAt(options: SMTPServerOptions, address: string, how = {}) {
  const mails = await startMailServer(options);
  try {
    const deliveryId = await queueFor(address);
    await deliver(market, { mailer: mailerTo(mails.port, how) });
    return { ...(await show(deliveryId)), received: mails.received };
  } finally {
    await mails.stop();
  }
}

test("a bill that closes is mailed: readable, and what is attached verifies on its own", async () => {
  const body = { kind: "mail" as const, address: "books+2026@acme.example" };
  await market.client.call("setDeliveryTarget", { body });
  const closed = await billedLease(market);
  await expect.poll(() => standing.received.length, { timeout: 15_000 }).toBe(1);
  const [mail] = standing.received;
  if (!mail) throw new Error("it was received");
  expect(mail.to).toEqual(["books+2026@acme.example"]);
  const { headers, parts } = readMail(mail.source);
  const { bill } = await market.client.call("showBill", { params: { billId: closed } });
  if (bill.kind === "capacity") throw new Error("it is of a lease");
  const { deliveries } = await market.client.call("listDeliveries", { query: { billId: closed } });
  expect(headers.get("subject")).toMatch(/^Bill of 127\.0\.0\.1:\d+: \d+\.\d\d EUR$/);
  expect(headers.get("message-id")).toBe(`<${deliveries[0]?.deliveryId}@sublet.example>`);
  expect(headers.get("from")).toBe(`Sublet <${FROM}>`);
  const [text, table, evidence] = parts;
  expect(text?.text).toContain(closed);
  expect(text?.text).toContain(`${bill.host.name}/${bill.partition.name}`);
  expect(table?.head).toContain(`${closed}.txt`);
  expect(table?.text).toMatch(/cpu +reserved-while-delivered +0\.3333 core-hours +0\.10\/h/);
  const path = join(folder.path, `${closed}.json`);
  writeFileSync(path, evidence?.text ?? "");
  const ran = await runCli(["bill", "verify", path], join(folder.path, "config"));
  expect(ran).toMatchObject({ exitCode: 0, stderr: "" });
  expect(ran.stdout).toContain("is verified");
});

test("a password is only sent once the line is TLS with a good certificate", async () => {
  const seen: unknown[] = [];
  const wantsLogin: SMTPServerOptions = {
    ...certificate,
    authOptional: false,
    onAuth: ({ username, password }, session, done) => {
      seen.push([session.secure, username, password]);
      done(null, { user: username });
    },
  };
  const user = "robot:geheim@";
  const good = await attemptAt(wantsLogin, "a@b.example", { user, query: "?ca=x" });
  expect(good.delivery.state).toBe("delivered");
  expect(good.attempts).toMatchObject([{ status: 250 }]);
  expect(good.received).toMatchObject([{ secure: true, user: "robot" }]);
  expect(seen).toEqual([[true, "robot", "geheim"]]);
  const unknown = await attemptAt(wantsLogin, "a1@b.example", { user });
  expect(unknown.delivery).toMatchObject({ state: "queued", attempts: 1 });
  const open = await attemptAt({ ...wantsLogin, disabledCommands: ["STARTTLS"] }, "a2@b.example", {
    ...{ user, query: "?ca=x" },
  });
  expect(open.delivery).toMatchObject({ state: "queued", attempts: 1 });
  expect(seen).toHaveLength(1);
  const tls = await attemptAt({ ...wantsLogin, secure: true }, "a3@b.example", {
    ...{ user, query: "?ca=x", scheme: "smtps" },
  });
  expect(tls.delivery.state).toBe("delivered");
});

test("a refused login is the operator's to put right: tried again, and no password is told", async () => {
  const { delivery, attempts } = await attemptAt(
    {
      ...certificate,
      onAuth: ({ password }, _, done) => done(new Error(`no, not with ${password}`)),
    },
    "login@b.example",
    { user: "robot:geheim@", query: "?ca=x" },
  );
  expect(delivery.state).toBe("queued");
  expect(attempts).toMatchObject([{ outcome: "failed", status: 535 }]);
  expect(JSON.stringify({ delivery, attempts })).not.toContain("geheim");
});

const refused = (responseCode: number, words: string) =>
  Object.assign(new Error(words), { responseCode });

test("a mail that is refused for now is sent later, with the same message id", async () => {
  let answers = 0;
  const mails = await startMailServer({
    hideSTARTTLS: true,
    onRcptTo: (_address, _session, done) => {
      answers += 1;
      done(answers === 1 ? refused(451, "greylisted, come back") : null);
    },
  });
  const mailer = mailerTo(mails.port);
  const deliveryId = await queueFor("grey@b.example");
  await deliver(market, { mailer });
  const waiting = await show(deliveryId);
  expect(waiting.delivery.state).toBe("queued");
  expect(waiting.attempts).toMatchObject([{ status: 451, reply: expect.stringMatching(/grey/) }]);
  const due = new Date(waiting.delivery.dueAt ?? later());
  await deliver(market, { mailer }, () => due);
  expect((await show(deliveryId)).delivery.state).toBe("delivered");
  const [mail] = mails.received;
  expect(readMail(mail?.source ?? "").headers.get("message-id")).toContain(deliveryId);
  await mails.stop();
});

test("a mail that is refused for good fails at once, with the mail server's words, cut", async () => {
  const { delivery, attempts } = await attemptAt(
    {
      hideSTARTTLS: true,
      onRcptTo: (_address, _session, done) => done(refused(550, `no such user ${"x".repeat(900)}`)),
    },
    "nobody@b.example",
  );
  expect(delivery).toMatchObject({ state: "failed", attempts: 1 });
  expect(delivery.failure).toMatch(/^refused for good: .*no such user x/);
  expect(attempts).toMatchObject([{ outcome: "failed", status: 550 }]);
  expect(attempts[0]?.reply).toHaveLength(300);
});

test("a mail server that hangs or is away is given up in time", async () => {
  const deliveryId = await queueFor("slow@b.example");
  const mails = await startMailServer({ hideSTARTTLS: true, onMailFrom: () => undefined });
  const mailer = { ...mailerTo(mails.port), timeoutMs: 300 };
  await deliver(market, { mailer });
  const { attempts, delivery } = await show(deliveryId);
  expect(attempts).toMatchObject([{ outcome: "failed", status: null }]);
  expect(attempts[0]?.reply).toContain("longer than 0.3 s");
  await mails.stop();
  await deliver(market, { mailer }, () => new Date(delivery.dueAt ?? later()));
  expect((await show(deliveryId)).attempts[0]?.reply).toContain("ECONNREFUSED");
});

test("an address that could break a header is refused, and without a mail server every one", async () => {
  const set = (of: Market["client"], address: string) =>
    codeOf(of.call("setDeliveryTarget", { body: { kind: "mail", address } }));
  for (const bad of ["a@b.example\r\nBcc: c@d.example", "a@b.example,c@d.example", "A <a@b.c>"]) {
    expect(await set(market.client, bad)).toBe("mail-address-refused");
  }
  const without = await startTestServer();
  const { client } = await without.party("acme", ["client"]);
  expect(await set(client, "a@b.example")).toBe("mail-not-configured");
  await without.stop();
});
