import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { BODY_BYTES_MAX } from "../../src/api/problem.ts";
import { type ReceiptFile, receiptFileSchema } from "../../src/enablement/capacity/report-file.ts";
import { claimedPayload } from "../../src/signature/envelope.ts";
import { NEXT_HOUR_MS, openCapacityBilling } from "../server/capacity-billing.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";
import { runCli } from "./run-cli.ts";

/** Reports larger than any request, at a real server. */
const BATCHES = 14;
const RECORDS_PER_BATCH = 200;
const folder = makeTempFolder("cli-report");
const { billsOf, issue, market, newHost, server } = await openCapacityBilling();
afterAll(async () => {
  await server.stop();
  folder.remove();
});
const { key } = await server.operator.call("addKey", {
  params: { party: market.providerId },
  body: { label: "cli" },
});
const path = (name: string) => join(folder.path, name);
const type = (line: string, stdin?: string) =>
  runCli(line.split(" "), folder.path, { server: server.url, key }, stdin);

/** Some hours of one meter with a record a second, as its host would export them. */
async function reportOf(batches: number) {
  const { host, name, ledger } = await newHost();
  const { code, jws } = await issue(name, { quantity: 1000 });
  ledger.accept(code, jws);
  const [meter] = ledger.begin(code, jws, [["p1", null]]);
  if (meter === undefined) throw new Error("no meter");
  for (let i = 0; i < batches * RECORDS_PER_BATCH; i++) ledger.use(meter, NEXT_HOUR_MS, 1);
  ledger.timeToBill(market.providerId, NEXT_HOUR_MS);
  const usage = Array.from({ length: batches }, (_, index) => {
    const from = index * RECORDS_PER_BATCH;
    return ledger.signUsage(meter, meter.records.slice(from, from + RECORDS_PER_BATCH));
  });
  const about = { hostId: host.hostId, providerId: market.providerId };
  const report = {
    ...{ kind: "sublet-capacity-report", version: 1, ...about },
    ...{ writtenAt: new Date().toISOString(), acts: [ledger.signActs()], usage },
  };
  return { report, meter, hostId: host.hostId };
}

const contiguous = ({ receipts }: ReceiptFile) =>
  receipts.map((jws) => (claimedPayload(jws) as { contiguousSeq: number }).contiguousSeq);

test("a report larger than any request is taken whole, each batch once, also after an interruption", async () => {
  const { report: once, meter, hostId } = await reportOf(BATCHES);
  // Every batch in it twice, as from a host that was copied: it is to be large, and taken once.
  const report = { ...once, usage: [...once.usage, ...once.usage] };
  // As after an import that broke off in the middle.
  const half = { ...report, usage: report.usage.slice(0, 6) };
  writeFileSync(path("half.json"), JSON.stringify(half));
  expect((await type(`usage import ${path("half.json")} -o ${path("none.json")}`)).exitCode).toBe(
    0,
  );

  writeFileSync(path("report.json"), JSON.stringify(report, null, 2));
  expect(statSync(path("report.json")).size).toBeGreaterThan(BODY_BYTES_MAX);
  const imported = await type(`usage import ${path("report.json")} -o ${path("receipt.json")}`);
  expect(imported.exitCode).toBe(0);
  expect(imported.stdout).toContain(`${2 * BATCHES + 1} batches came, ${2 * BATCHES + 1} receipts`);
  const file = receiptFileSchema.parse(JSON.parse(readFileSync(path("receipt.json"), "utf8")));
  const numbers = contiguous(file).slice(1);
  expect(numbers).toHaveLength(2 * BATCHES);
  expect(numbers.at(-1)).toBe(BATCHES * RECORDS_PER_BATCH);

  // From stdin, as often as one likes.
  const again = await type("usage import -", readFileSync(path("half.json"), "utf8"));
  expect(contiguous(receiptFileSchema.parse(JSON.parse(again.stdout))).at(-1)).toBe(
    meter.records.length,
  );
  const [bill] = await billsOf(hostId);
  expect(bill?.totalMicros).toBe("90000");
});

test("what is refused of a report is named by its place in it, and keeps back nothing else", async () => {
  const { report, meter } = await reportOf(9);
  const [first = ""] = report.usage;
  const usage = [...report.usage.slice(0, -2), `${first}x`, ...report.usage.slice(-1)];
  writeFileSync(path("spoilt.json"), JSON.stringify({ ...report, usage }));
  const ran = await type(`usage import ${path("spoilt.json")} -o ${path("spoilt-receipt.json")}`);
  expect(ran.exitCode).toBe(1);
  expect(ran.stdout).toContain("refused: usage 8: ");
  const file = receiptFileSchema.parse(
    JSON.parse(readFileSync(path("spoilt-receipt.json"), "utf8")),
  );
  expect(file.receipts).toHaveLength(9);
  expect(contiguous(file).at(-1)).toBe(meter.records.length - 2 * RECORDS_PER_BATCH);
});

test("of a report that was cut off nothing is sent", async () => {
  const { report, hostId } = await reportOf(1);
  writeFileSync(path("cut.json"), JSON.stringify(report).slice(0, -1000));
  const ran = await type(`usage import ${path("cut.json")}`);
  expect(ran.stderr).toContain("not all of one");
  const stand = await market.provider.call("showCapacityHost", { params: { host: hostId } });
  expect(stand.reportedUntil).toBeNull();
});
