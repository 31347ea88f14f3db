import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { listenLocally } from "../../src/agent/socket.ts";
import { createClient } from "../../src/api/client/client.ts";
import { svgText, terminalText } from "../../src/cli/capacity/qr.ts";
import { checkConsent } from "../../src/enablement/capacity/consent.ts";
import { newId } from "../../src/unit/id.ts";
import { STANDBY } from "../agent/capacity.ts";
import { createRig } from "../agent/harness.ts";
import { begun, cut } from "../agent/own.ts";
import { until } from "../guest/processes.ts";
import { farHost, openCapacityMarket, TERMS } from "../server/capacity-market.ts";
import type { FakeHost } from "../server/fake-host.ts";
import { startTestServer, type TestServer } from "../server/harness.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";
import { runCli } from "./run-cli.ts";

/** The verbs of who sells standby capacity and of who owns a host, at a real server. */
const folder = makeTempFolder("cli-capacity");
const bunker = farHost("bunker");
let server: TestServer;
let enrolled: FakeHost;
const keys: Record<string, string> = {};

beforeAll(async () => {
  server = await startTestServer();
  const { providerId, ownerId, host } = await openCapacityMarket(server);
  enrolled = host;
  for (const [name, party] of [
    ["vendor", providerId],
    ["owner", ownerId],
  ] as const) {
    keys[name] = (
      await server.operator.call("addKey", { params: { party }, body: { label: name } })
    ).key;
  }
});
afterAll(async () => {
  await server.stop();
  folder.remove();
});

const as = (name: string, sleep?: (ms: number) => Promise<void>) => async (line: string) => {
  const key = keys[name];
  const environment = { server: server.url, ...(key === undefined ? {} : { key }) };
  return runCli(line.split(" "), folder.path, environment, "", sleep);
};
const vendor = as("vendor");
const owner = as("owner");
const patientOwner = as("owner", (ms) => sleep(ms / 4));
const anybody = as("anybody");
const json = async (ran: ReturnType<typeof vendor>) => JSON.parse((await ran).stdout);
const path = (name: string) => join(folder.path, name);

describe("a provider", () => {
  test("says its terms as a person would, and what it does not say stays", async () => {
    const more = "--price 0.02/h --period month:Europe/Berlin --increment 1m --rounding up";
    const rules = "--threshold rate:30s --on-exhaustion reclaim:10m --return-means ask,next-boot";
    const first = await json(vendor(`capacity terms memory ${more} ${rules} --json`));
    expect(first.terms).toMatchObject({
      ...{ priceMicrosPerHour: "20000", overdraftPriceMicrosPerHour: "20000" },
      billingPeriod: { kind: "month", timeZone: "Europe/Berlin" },
      increment: (60n * 1_000_000_000n * (1n << 30n)).toString(),
      threshold: { kind: "rate", intervalSeconds: 30 },
      exhaustion: { policy: "reclaim", graceSeconds: 600 },
      returnMeans: ["ask", "next-boot"],
    });
    const then = "--overdraft-price 0.04/h --period 1h --report-limit 10h";
    const second = await json(vendor(`capacity terms memory ${then} --json`));
    expect(second.terms).toEqual({
      ...first.terms,
      overdraftPriceMicrosPerHour: "40000",
      billingPeriod: { kind: "fixed", seconds: 3600, anchor: "1970-01-01T00:00:00.000Z" },
      reporting: {
        ...first.terms.reporting,
        reportLimit: (36_000n * 1_000_000_000n * (1n << 30n)).toString(),
      },
    });
    const shown = await vendor("capacity terms");
    expect(shown.stdout).toContain("0.12 a core-hour");
    expect(shown.stdout).toContain("in steps of 60 GiB-seconds, the last one rounded up");
  });

  test.each([
    ["--period month:Mars", "is not a time zone; write it like month:Europe/Berlin"],
    ["--threshold rate", "write allowance, or rate:60s"],
    ["--on-exhaustion stop", "write stop-new, reclaim or reclaim:10m"],
    ["--return-means ask,ask", "each of ask,repin,next-boot once at most"],
    ["--increment 0s", "is no time at all"],
  ])("is told how to write %s", async (typed, sentence) => {
    const ran = await vendor(`capacity terms cpu ${typed}`);
    expect(ran.exitCode).toBe(2);
    expect(ran.stderr).toContain(sentence);
  });

  test("hands out its card, and registers a host by that host's, which its owner confirms", async () => {
    writeFileSync(path("bunker.request"), bunker.request());
    const ran = await vendor(`capacity provider-card -o ${path("vendor.card")}`);
    expect(ran.stdout).toMatch(/key\s+\S{43}\n/);
    expect(readFileSync(path("vendor.card"), "utf8")).toMatch(/^eyJ[\w.-]+\n$/);
    // As it looks after a mail program had it.
    writeFileSync(path("bunker.card"), bunker.card().replace(/(.{70})/g, "$1\r\n  "));
    const host = await json(
      vendor(`capacity register ${path("bunker.card")} --customer owner --json`),
    );
    expect(host).toMatchObject({
      name: "bunker",
      customer: { name: "owner" },
      reached: "registered",
    });
    const unconfirmed = await vendor(`capacity issue ${path("bunker.request")}`);
    expect(unconfirmed.stderr).toContain("`sublet capacity confirm bunker`");
    expect((await owner("capacity list")).stdout).toContain(
      "bunker was registered as a host of owner",
    );
    expect((await owner("capacity confirm attic --yes")).stderr).toContain("no host attic waits");
    expect((await owner("capacity confirm")).stdout).toContain(host.key);
    expect((await vendor("capacity confirm bunker --yes")).exitCode).toBe(1);
    const confirmed = await json(owner("capacity confirm bunker --yes --json"));
    expect(confirmed).toMatchObject({ name: "bunker", confirmedAt: expect.any(String) });
    expect((await owner("capacity confirm")).stdout).toContain("no host waits");
    const wrong = await vendor(`capacity register ${path("none.card")} --customer owner`);
    expect(wrong.stderr).toContain("none.card cannot be read: no such file; check its name");
  });
});

describe("a request", () => {
  test("that was sent becomes a code, which its claim number fetches once", async () => {
    const asked = await json(owner("capacity request --host h1 --cpu 2 --for 30d --json"));
    expect(asked).toMatchObject({ state: "open", quantity: 2000, forSeconds: 30 * 86_400 });
    const issued = await vendor(`capacity issue ${asked.requestId.slice(0, 26)} --price 0.08/h`);
    expect(issued.stdout).toContain("60 core-days, at most 2 cores at once");
    expect(issued.stdout).toContain("0.08 EUR a core-hour");
    const [, number = ""] = /claim number\s+(\S+)/.exec(issued.stdout) ?? [];
    const typed = number.toLowerCase().replaceAll("-", "");
    const claimed = await json(anybody(`capacity claim ${typed} --json`));
    expect(issued.stdout.replace(/\s/g, "")).toContain(claimed.codeJws);
    // An answer can be lost: the same computer asks again, another one does not.
    expect(await json(anybody(`capacity claim ${number} --json`))).toEqual(claimed);
    const other = createClient({ url: server.url });
    const body = { number, claimant: "somebody-elses-computer" };
    await expect(other.call("claimCode", { body })).rejects.toMatchObject({ code: "claim-used" });
  });

  test("that came as a file becomes a code in a file, on terms of its own", async () => {
    writeFileSync(path("wish.request"), bunker.request());
    const own = "--valid 30d --threshold rate:60s";
    const file = path("bunker.code");
    const issued = await json(
      vendor(`capacity issue ${path("wish.request")} -o ${file} ${own} --json`),
    );
    expect(issued.payload).toMatchObject({
      aud: bunker.hostId,
      threshold: { kind: "rate", intervalSeconds: 60 },
      tariff: { priceMicrosPerHour: TERMS.priceMicrosPerHour },
    });
    expect(readFileSync(file, "utf8").trim()).toBe(issued.code.codeJws);
    const card = await vendor(`capacity issue ${path("vendor.card")}`);
    expect(card.stderr).toContain("holds no request, or not all of one");
  });

  test("becomes a code that is drawn as well, on paper and here", async () => {
    const loft = farHost("loft");
    writeFileSync(path("loft.card"), loft.card());
    await vendor(`capacity register ${path("loft.card")} --customer owner`);
    await owner("capacity confirm loft --yes");
    const line = (more: string) => {
      writeFileSync(path("drawn.request"), loft.request({ requestId: newId("request") }));
      return vendor(`capacity issue ${path("drawn.request")} ${more}`);
    };
    const onPaper = await json(line(`--qr ${path("drawn.svg")} --json`));
    expect(onPaper.qrFile).toBe(path("drawn.svg"));
    expect(readFileSync(path("drawn.svg"), "utf8")).toBe(`${svgText(onPaper.code.codeJws)}\n`);
    const { stdout } = await line("--qr -");
    const codeJws = /^eyJ[\w.\n-]+$/m.exec(stdout)?.[0].replaceAll("\n", "") ?? "";
    expect(stdout).toContain(terminalText(codeJws, { columns: 80, isColoured: false }));
  });

  test.each([
    ["request --host h1 --for 1d", "say how much with --cpu 2 or --memory 512MiB"],
    ["request --host h1 --cpu 0.5 --for 1d", "standby cores are whole ones"],
    ["request --cpu 1 --for 1d", "say for which host with --host NAME"],
    ["request --host h1 --cpu 1 --memory 1GiB --for 1d", "one at a time"],
  ])("that says too little is told what: %s", async (line, sentence) => {
    const ran = await owner(`capacity ${line}`);
    expect(ran.exitCode).toBe(2);
    expect(ran.stderr).toContain(sentence);
  });

  test("for a host that is mistyped names the one that was meant", async () => {
    const ran = await owner("capacity request --host h2 --cpu 1 --for 1d");
    expect(ran.stderr).toContain("did you mean h1?");
  });
});

test("both sides list what there is, each with the other's name", async () => {
  const mine = (await owner("capacity list")).stdout;
  const theirs = (await vendor("capacity list")).stdout;
  expect(mine).toMatch(/REQUEST\s+HOST\s+PROVIDER/);
  expect(mine).toMatch(/code_\w+\s+h1\s+vendor\s+2 cores\s+60 core-days .* used at /);
  expect(theirs).toMatch(/CODE\s+HOST\s+CUSTOMER/);
  expect(theirs).toMatch(/bunker\s+owner\s+1 not accepted yet\s+never\s+by files/);
  expect(theirs).toMatch(/code_\w+\s+bunker\s+owner\s+1 core\s+60 core-minutes .* open until /);
});

test("a claim number that is mistyped is told in which group, before anybody is asked", async () => {
  const ran = await runCli(
    ["capacity", "claim", "7H2KX-00000-4T9WR-YZ1Q8", "--server", "http://127.0.0.1:9"],
    folder.path,
  );
  expect(ran.exitCode).toBe(1);
  expect(ran.stderr).toMatch(/group \d, \w{5}, is mistyped/);
});

test("a claim number typed at a host enables its code, and again says that it did", async () => {
  const rig = createRig(STANDBY);
  // Its clock is the server's.
  rig.clock.stepWall(Date.now() - rig.clock.now().getTime());
  const agent = await rig.startAlone({ options: { alone: { name: "cave" } } });
  cut(agent, "p1");
  await begun(agent, "p1");
  await rig.rounds(agent, 2, 1_000);
  const socket = await listenLocally(agent);
  const at = `--agent ${socket.path}`;
  await anybody(`capacity card -o ${path("cave.card")} ${at}`);
  await vendor(`capacity register ${path("cave.card")} --customer owner`);
  await owner("capacity confirm cave --yes");
  await vendor(`capacity provider-card -o ${path("again.card")}`);
  await anybody(`capacity trust ${path("again.card")} --yes ${at}`);
  await anybody(`capacity request --cpu 1 --for 1h -o ${path("cave.request")} ${at}`);
  const issued = await vendor(`capacity issue ${path("cave.request")}`);
  const [, number = "none"] = /claim number\s+(\S+)/.exec(issued.stdout) ?? [];
  const typed = `capacity enable ${number.toLowerCase()} --partition p1 ${at}`;
  const enabled = await anybody(typed);
  expect(enabled.stdout).toMatch(/code_\w+ is accepted\n/);
  expect(enabled.stdout).toMatch(/state\s+in service; its time is counted\n/);
  expect((await anybody(typed)).stdout).toMatch(/code_\w+ was accepted before\n/);
  const { services } = await json(anybody(`capacity show ${at} --json`));
  expect(services).toHaveLength(1);
  await socket.close();
});

test("a provider asks for a bill by the host's name, and is told which hosts there are", async () => {
  const asked = await vendor("capacity bill-now --host bunker");
  expect(asked.stdout).toBe("bunker is asked for it with its next receipts\n");
  expect((await vendor("capacity list")).stdout).toContain("a bill is asked for");
  const wrong = await vendor("capacity bill-now --host cellar");
  expect(wrong.stderr).toContain("you have issued no code for a host cellar");
});

test("requests complete a line that issues, and files where there is none of that name", async () => {
  const issue = await vendor("__complete -- capacity issue request_");
  expect(issue.stdout).toMatch(/^request_\w{22}\tissued, owner for \w+\n/);
  expect((await vendor("__complete -- capacity issue wish")).stdout).toBe(":files\n");
  expect((await owner("__complete -- capacity enable code_")).stdout).toContain("vendor for h1");
});

describe("an owner who is elsewhere", () => {
  /** The host's agent answers the next order that it reads. */
  const answer = async (outcome: string, message: string) => {
    const order = await until("an order has come", async () => {
      const { capacityOrders = [] } = await enrolled.agent.call("readDesired");
      return capacityOrders[0];
    });
    const params = { orderId: order.orderId };
    await enrolled.agent.call("answerCapacityOrder", { params, body: { outcome, message } });
    return order.ordered;
  };

  test("has the host do it by way of the server, and is told when it has", async () => {
    const typed = patientOwner("capacity threshold p1 30m --host h1");
    expect(await answer("done", "")).toMatchObject({ kind: "threshold", partition: "p1" });
    expect((await typed).stdout).toMatch(/^h1 has done it \(order_\w+\)\n$/);
  });

  test("is told the host's own refusal", async () => {
    const { codes } = (await json(owner("capacity list --json"))).own;
    const found = codes.find((one: { host: { name: string } }) => one.host.name === "h1");
    const typed = patientOwner(`capacity enable ${found.codeId} --partition p1 --host h1 --json`);
    const ordered = await answer("code-refused", "the code is not taken: it was altered");
    expect(ordered).toEqual({ kind: "enable", partition: "p1", code: found.codeJws });
    const ran = await typed;
    expect(ran.exitCode).toBe(1);
    expect(JSON.parse(ran.stdout).error.code).toBe("code-refused");
  });

  test("lends a code by way of the server, and what was issued elsewhere by its id", async () => {
    const { codes } = (await json(owner("capacity list --json"))).own;
    const found = codes.find((one: { host: { name: string } }) => one.host.name === "h1");
    const typed = patientOwner(`capacity lend ${found.codeId} --host h1`);
    expect(await answer("done", "")).toEqual({ kind: "lend", code: found.codeJws });
    expect((await typed).stdout).toMatch(/^h1 has done it/);
    const codeId = newId("code");
    const other = patientOwner(`capacity lend ${codeId} --host h1`);
    const refusal = "there is no code of that id; list what there is";
    expect(await answer("not-found", refusal)).toEqual({ kind: "lend", code: { codeId } });
    expect((await other).stderr).toContain(refusal);
  });

  test("is told that a host has not answered, and what becomes of the order", async () => {
    const ran = await owner("capacity return --shared --host h1");
    expect(ran.exitCode).toBe(0);
    expect(ran.stdout).toContain("h1 has not answered yet, and does it when it is on line");
    const nowhere = await owner("capacity return --shared");
    expect(nowhere.stderr).toContain("--agent SOCKET on that computer, or --host NAME");
  });
});

test("a client agrees to more for its lease by the key that opens it, and to nothing else", async () => {
  await promisify(execFile)("ssh-keygen", ["-qt", "ed25519", "-N", "", "-f", path("id")]);
  const leaseId = newId("lease");
  const codeId = newId("code");
  const line = `capacity consent ${leaseId} --cpu 1 --code ${codeId} --identity ${path("id")}`;
  const told = await anybody(`${line} -o ${path("more.consent")}`);
  expect(told.stdout).toContain(`agreed: 1 core for ${leaseId} by ${codeId}`);
  const consented = { leaseId, codeId, resource: "cpu" as const, quantity: 1000 };
  const signature = readFileSync(path("more.consent"), "utf8");
  const clientKey = readFileSync(path("id.pub"), "utf8").trim();
  expect(checkConsent(consented, signature, clientKey).ok).toBe(true);
  expect(checkConsent({ ...consented, quantity: 2000 }, signature, clientKey).ok).toBe(false);
});
