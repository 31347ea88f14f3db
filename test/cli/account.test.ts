import { PassThrough } from "node:stream";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Response } from "../../src/api/contract/contract.ts";
import { sampleBillInput } from "../../src/billing/bill.sample.ts";
import { makeBill } from "../../src/billing/make-bill.ts";
import { statementText } from "../../src/cli/account-text.ts";
import type { Context } from "../../src/cli/context.ts";
import { readEnvironment } from "../../src/cli/environment.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";
import { type FakeServer, startFakeServer } from "./fake-server.ts";
import { runCli } from "./run-cli.ts";
import { id, OFFER } from "./shapes.ts";

const folder = makeTempFolder("cli-account");
let server: FakeServer;
beforeAll(async () => {
  server = await startFakeServer();
});
afterAll(async () => {
  await server.stop();
  folder.remove();
});
beforeEach(() => {
  server.requests.length = 0;
  server.routes = {
    "GET /v1/account": () => ({ json: accountOf() }),
    "GET /v1/operator/parties/*/account": () => ({ json: accountOf() }),
    "GET /v1/account/statement": () => ({ json: STATEMENT }),
    "GET /v1/operator/parties/*/statement": () => ({ json: STATEMENT }),
    "POST /v1/operator/withdrawals": () => ({ json: accountOf() }),
    "POST /v1/operator/payouts": () => ({ json: accountOf() }),
    "POST /v1/operator/reversals": () => ({ json: accountOf() }),
    "PUT /v1/operator/parties/*/credit-limit": () => ({
      json: accountOf({ freeMicros: "-120000" }),
    }),
    "PUT /v1/operator/fees": () => ({ json: FEES }),
    "GET /v1/operator/fees": () => ({ json: FEES }),
    "GET /v1/operator/payouts": () => ({ json: PAYOUTS }),
    "GET /v1/bills/totals": () => ({ json: TOTALS }),
  };
});

const cli = (...argv: string[]) =>
  runCli([...argv, "--server", server.url, "--key", "right"], folder.path);
const last = () => server.requests.at(-1);
const sent = () => JSON.parse(last()?.body ?? "{}");

describe("account", () => {
  test("show tells what is held for which lease, and another's by name", async () => {
    const { stdout } = await cli("account", "show");
    expect(stdout).toMatch(/credit line +0\.50 EUR/);
    expect(stdout).toMatch(new RegExp(`${id("lease")} +0\\.12 EUR`));
    expect(stdout).not.toContain("payout due");
    await cli("account", "show", "acme");
    expect(last()?.path).toBe("/v1/operator/parties/acme/account");
  });

  test("show tells an operator what the server has, and a lender what is due", async () => {
    const books = { cashMicros: "1000000", feeMicros: "20000", roundingMicros: "-500" };
    const account = accountOf({ server: books, earnedMicros: "705500", payoutDueMicros: "700000" });
    server.routes["GET /v1/account"] = () => ({ json: account });
    const { stdout } = await cli("account", "show");
    expect(stdout).toMatch(/server's cash +1\.00 EUR/);
    expect(stdout).toMatch(/server's rounding +-0\.0005 EUR/);
    expect(stdout).toMatch(/payout due +0\.70 EUR/);
  });

  test("a credit line below what is in use says what that means", async () => {
    const ran = await cli("account", "credit-limit", "acme", "50.00");
    expect(sent()).toEqual({ creditLimitMicros: "50000000" });
    expect(ran.stdout).toContain("below the line: leases go on, nothing new is booked");
  });

  test.each([
    ["withdraw", "withdrawalId"],
    ["payout", "payoutId"],
  ])("%s sends micros and the reference under an id of its own making", async (verb, name) => {
    const typed = ["account", verb, "acme", "1.20", "--reference", "order 7"];
    const ran = await cli(...typed, "--json");
    expect(sent()).toMatchObject({ party: "acme", amountMicros: "1200000", memo: "order 7" });
    expect(JSON.parse(ran.stdout)[name]).toBe(sent()[name]);
  });

  test("a reversal without an answer says how to repeat it", async () => {
    server.routes["POST /v1/operator/reversals"] = () => ({ hangUp: true });
    const typed = ["account", "reverse", id("transaction"), "--reference", "it's wrong"];
    const lost = await cli(...typed);
    expect(lost.exitCode).toBe(1);
    expect(lost.stderr).toContain(
      `\`sublet account reverse ${id("transaction")} --reference 'it'\\''s wrong' --id ${sent().reversalId}\``,
    );
  });

  test.each([
    [["2.5%"], { lender: null, feePpm: 25_000 }],
    [["250bp", "--lender", "attic"], { lender: "attic", feePpm: 25_000 }],
    [["--lender", "attic", "--default"], { lender: "attic", feePpm: null }],
  ])("fee %j is sent in parts per million", async (typed, body) => {
    const { stdout } = await cli("account", "fee", ...typed);
    expect(sent()).toEqual(body);
    expect(stdout).toMatch(/\(all others\) +2\.5%/);
    expect(stdout).toMatch(/attic +0\.01%/);
  });

  test.each([
    [["fee", "--lender", "attic"], "say the rate for this lender"],
    [["fee", "--default"], "--default needs --lender NAME"],
    [["fee", "10001bp"], 'rate: "10001bp" is not a percentage'],
    [["withdraw", "acme", "-5"], 'amount: "-5" is not an amount of money'],
    [["reverse", "lease_1"], '"lease_1" is not the id of a transaction'],
  ])("account %j is wrong usage", async (typed, sentence) => {
    const ran = await cli("account", ...typed);
    expect(ran).toMatchObject({ exitCode: 2, stdout: "" });
    expect(ran.stderr).toContain(sentence);
  });

  test("payouts lists what is due to whom", async () => {
    const { stdout } = await cli("account", "payouts", "--min", "0.50");
    expect(last()?.path).toBe("/v1/operator/payouts?minMicros=500000");
    expect(stdout).toMatch(/attic +1\.2055 EUR +0\.50 EUR +0\.70 EUR/);
  });
});

describe("account statement", () => {
  test("fits a terminal of 80 columns, which the ids of its postings do not", () => {
    const draw = (columns: number) => {
      const stdout = Object.assign(new PassThrough(), { isTTY: true, columns });
      const environment = readEnvironment({ NO_COLOR: "1" });
      return statementText({ stdout, environment } as unknown as Context, STATEMENT as never);
    };
    const lines = draw(80).split("\n");
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(draw(80)).not.toContain("transaction_");
    expect(draw(120)).toContain("transaction_");
  });

  test("shows lines between two balances, and how to go on", async () => {
    const { stdout } = await cli("account", "statement", "--month", "2027-01");
    expect(last()?.path).toBe("/v1/account/statement?month=2027-01");
    expect(stdout).toMatch(/funds at its begin +1\.00 EUR/);
    expect(stdout).toMatch(
      /2027-01-31 08:00:00Z +bill +bill_0{22}, attic, acme, lender: =1\+1, "so" +-0\.12 +0\.88 +transaction_0{22}/,
    );
    expect(stdout).toMatch(/funds at its end +0\.88 EUR/);
    expect(stdout).toContain(`more: --cursor ${id("transaction")}`);
    await cli("account", "statement", "acme", "--from", "2027-01-01", "--to", "2027-02-01");
    expect(last()?.path).toBe("/v1/operator/parties/acme/statement?from=2027-01-01&to=2027-02-01");
  });

  test("as comma-separated values nothing in it is a formula or breaks a row", async () => {
    const { stdout, stderr } = await cli("account", "statement", "--csv");
    const [head, line] = stdout.split("\n");
    expect(head).toMatch(/^transactionId,at,kind,account,amountMicros,balanceMicros,/);
    expect(line).toContain(",bill,funds,-120000,880000,");
    expect(line).toContain(`,acme lender,"'=1+1, ""so"""`);
    expect(stderr).toContain("more: --cursor");
  });
});

test("bill totals adds up per host, and says whose it is", async () => {
  const { stdout } = await cli("bill", "totals", "--from", "2027-01-01");
  expect(last()?.path).toBe("/v1/bills/totals?by=host&from=2027-01-01");
  expect(stdout).toMatch(/attic +lender +3 +0\.36 EUR +0\.3333 EUR +0\.0267 EUR/);
});

test("the operator's fee is told with an offer, and with a bill what each side has of it", async () => {
  const tariff = { ...OFFER.tariff, operatorFeePpm: 50_000 };
  server.routes["PUT /v1/lender/hosts/*/partitions/*/offer"] = () => ({
    json: { ...OFFER, tariff },
  });
  const prices = ["--price-core", "0.10/h", "--price-memory", "0", "--price-disk", "0"];
  const offered = await cli("offer", "set", "attic", "guest", ...prices);
  expect(offered.stdout).toMatch(/operator's fee +5% of what it earns/);
  const bill = { ...makeBill(sampleBillInput([])), tariff, sumMicros: "69078" };
  server.routes["GET /v1/bills/*"] = () => ({ json: { bill } });
  const shown = await cli("bill", "show", bill.billId);
  expect(shown.stdout).toMatch(/lender earns +0\.065624 EUR/);
  expect(shown.stdout).toMatch(/fee of 5% +0\.003454 EUR/);
});

const party = { id: id("party"), name: "acme" };
const at = "2027-01-31T08:00:00.000Z";

function accountOf(some: Partial<Response<"showAccount">> = {}): Response<"showAccount"> {
  return {
    party,
    currency: "EUR",
    balanceMicros: "1000000",
    holdsMicros: "120000",
    creditLimitMicros: "500000",
    freeMicros: "1380000",
    holds: [{ leaseId: id("lease"), amountMicros: "120000", createdAt: at }],
    earnedMicros: "0",
    paidOutMicros: "0",
    earningsMicros: "0",
    payoutDueMicros: "0",
    server: null,
    ...some,
  };
}

const STATEMENT: Response<"readStatement"> = {
  party,
  currency: "EUR",
  timeZone: "UTC",
  from: "2027-01-01T00:00:00.000Z",
  to: "2027-02-01T00:00:00.000Z",
  accounts: [{ account: "funds", openingMicros: "1000000", closingMicros: "880000" }],
  lines: [
    {
      transactionId: id("transaction"),
      at,
      kind: "bill",
      account: "funds",
      amountMicros: "-120000",
      balanceMicros: "880000",
      memo: '=1+1, "so"',
      parties: ["acme", "lender"],
      billId: id("bill"),
      leaseId: id("lease"),
      host: "attic",
      reverses: null,
    },
  ],
  nextCursor: id("transaction"),
};

const FEES: Response<"listFees"> = {
  feePpm: 25_000,
  setAt: at,
  lenders: [{ lender: { id: id("party", "1"), name: "attic" }, feePpm: 100, setAt: at }],
};

const PAYOUTS: Response<"listPayouts"> = {
  currency: "EUR",
  payouts: [
    {
      lender: { id: id("party", "1"), name: "attic" },
      earnedMicros: "1205500",
      paidOutMicros: "500000",
      dueMicros: "700000",
    },
  ],
  nextCursor: null,
};

const TOTALS: Response<"totalBills"> = {
  by: "host",
  currency: "EUR",
  timeZone: "UTC",
  totals: [
    {
      of: { id: id("host"), name: "attic" },
      lender: { id: id("party", "1"), name: "lender" },
      bills: 3,
      totalMicros: "360000",
      earningsMicros: "333300",
      feeMicros: "26700",
      roundingMicros: "0",
    },
  ],
  nextCursor: null,
};
