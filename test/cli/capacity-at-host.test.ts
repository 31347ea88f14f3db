import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { exportReport } from "../../src/agent/capacity/report.ts";
import { type LocalSocket, listenLocally } from "../../src/agent/socket.ts";
import { checkLinks } from "../../src/cli/capacity/history.ts";
import { actsBatchSchema, type HashedAct } from "../../src/enablement/capacity/act.ts";
import { reportFileSchema } from "../../src/enablement/capacity/report-file.ts";
import { claimedPayload, sign } from "../../src/signature/envelope.ts";
import { createProvider, type Provider, STANDBY, serveRounds } from "../agent/capacity.ts";
import { createRig, type Rig } from "../agent/harness.ts";
import { begun, cut, SIZE } from "../agent/own.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";
import { runCli } from "./run-cli.ts";
import { runAtTerminal } from "./terminal.ts";

/** The verbs of enabled capacity, typed at a host without a server with a real agent. */
const folder = makeTempFolder("cli-at-host");
let rig: Rig;
let agent: Awaited<ReturnType<Rig["startAlone"]>>;
let provider: Provider;
let socket: LocalSocket;

beforeAll(async () => {
  rig = createRig(STANDBY);
  agent = await rig.startAlone();
  provider = createProvider();
  cut(agent, "p1");
  await begun(agent, "p1");
  const max = { ...SIZE, cpuMilli: 2000 };
  cut(agent, "p2", { size: { ...SIZE, cpuMilli: 500 }, cpuMode: "shared", max });
  await begun(agent, "p2");
  await rig.rounds(agent, 2, 1_000);
  socket = await listenLocally(agent);
});
afterAll(async () => {
  await socket.close();
  folder.remove();
});

const type = (line: string, stdin?: string) =>
  runCli([...line.split(" "), "--agent", socket.path], folder.path, {}, stdin);
const json = async (line: string, stdin?: string) => {
  const ran = await type(`${line} --json`, stdin);
  return JSON.parse(ran.stdout);
};
const path = (name: string) => join(folder.path, name);

test("a code of a provider that is not pinned is refused, and pinning asks", async () => {
  writeFileSync(path("first.code"), provider.code(agent));
  const early = await type(`capacity enable ${path("first.code")}`);
  expect(early).toMatchObject({ exitCode: 1, stdout: "" });
  expect(early.stderr).toContain("compare the thumbprint of its card");
  writeFileSync(path("vendor.card"), provider.cardJws);
  expect((await json(`capacity trust ${path("vendor.card")}`)).error.code).toBe(
    "confirmation-needed",
  );
  const pinned = await type(`capacity trust ${path("vendor.card")} --yes`);
  expect(pinned.stdout).toContain("pinned");
});

describe("enable", () => {
  test("takes a code from stdin as a mail has broken it, and says what runs from now on", async () => {
    const code = readFileSync(path("first.code"), "utf8").replace(/(.{60})/g, "$1\n > ".trimEnd());
    const ran = await type("capacity enable - --partition p1", code.replaceAll(">", ""));
    expect(ran.stdout).toMatch(/code\s+code_\w+ is accepted\n/);
    expect(ran.stdout).toMatch(/enabled\s+1 core for p1\n/);
    expect(ran.stdout).toMatch(/state\s+in service; its time is counted\n/);
  });

  test("of the same again changes nothing", async () => {
    const again = await json(`capacity enable ${path("first.code")} --partition p1`);
    expect(again).toMatchObject({ isAlreadyApplied: true, service: { state: "in-service" } });
    expect((await json("capacity show")).services).toHaveLength(1);
  });

  test("into the pool shows each partition with its own threshold", async () => {
    const ran = await type(`capacity enable ${provider.code(agent)} --shared`);
    expect(ran.stdout).toContain("1 core for the pool");
    await serveRounds(rig, agent, 3, 40_000);
    const { stdout } = await type("capacity show");
    expect(stdout).toMatch(/service_\w+\s+p1\s+1 core\s+core \d\s+in-service/);
    expect(stdout).toMatch(/service_\w+\s+the pool\s+1 core\s+core \d\s+in-service/);
    expect(stdout).toMatch(/p2\s+30 core-minutes\s+\d[\d.]* core-\w+\s+nothing/);
    expect(stdout).toMatch(/cpu\s+1\.00 cores counted now; used up in 1h\d+m/);
    expect(stdout).toMatch(
      /unreported\s+[\d.]+ core-\w+ of cpu, since \S+.*\n.*\d+ acts for party_/,
    );
  });

  test.each([
    ["", "give the code, its file, its claim number, or - to read it from stdin", 2],
    ["--accepted", "say where to with --partition NAME or --shared", 2],
    ["nothing.code --shared", "nothing.code cannot be read: no such file", 1],
    [
      "--accepted --partition p1 --cpu 1",
      "the codes in force let 0 more of cpu into service at once",
      1,
    ],
    ["--accepted --partition p1 --memory 100MiB", "comes in blocks of 128MiB", 2],
  ])("%s is refused with the way out", async (typed, sentence, exitCode) => {
    const ran = await type(`capacity enable ${typed}`.trim());
    expect(ran.stderr).toContain(sentence);
    expect(ran.exitCode).toBe(exitCode);
  });

  test("of a part of a code says which part is wrong", async () => {
    const cut = provider.code(agent).slice(0, -20);
    const ran = await type(`capacity enable ${cut} --shared`);
    expect(ran.stderr).toContain("the signature has 66 characters, not 86: was the text cut off?");
  });
});

describe("enable at a terminal, without a code", () => {
  /** What is typed or pasted, piece by piece; then the input ends. */
  const sit = (typed: readonly string[], ...flags: string[]) =>
    runAtTerminal(
      ["capacity", "enable", ...flags, "--agent", socket.path],
      80,
      { SUBLET_CONFIG: folder.path },
      typed,
    );
  const broken = (code: string) => code.replace(/(.{72})/g, "$1\n");
  const question = "Paste the code, or type its claim number; an empty line ends it.\n";

  test("asks for it, and takes it over several lines up to an empty one", async () => {
    const code = provider.code(agent);
    const pieces = broken(code).match(/[\s\S]{1,500}/g) ?? [];
    const ran = await sit([...pieces, "\n", "\n", "what comes then is not the code's\n"]);
    expect(ran.stderr).toContain(question);
    expect(ran.stdout).toMatch(/code\s+code_\w+ is accepted\n/);
    expect(ran.exitCode).toBe(0);
    const again = await sit([code, "\n\n"]);
    expect(again.stdout).toMatch(/code_\w+ was accepted before\n/);
  });

  test("takes white space and blank lines before it, and the end of input for the end", async () => {
    const code = provider.code(agent);
    const ran = await sit(["\r\n  \n\t", broken(code).replaceAll("\n", "\r\n   "), "  "]);
    expect(ran.stdout).toMatch(/code\s+code_\w+ is accepted\n/);
  });

  test.each([
    ["at once", [], "nothing was pasted; give the code, its file or its number"],
    ["after blanks", ["  \n", "\n"], "nothing was pasted; give the code, its file or its number"],
    [
      "within the code",
      ["eyJhbGciOiJFZERTQSJ9.eyJq"],
      "this is no capacity code, or not all of it",
    ],
  ])("says what lacks when the input ends %s", async (_, typed, sentence) => {
    const ran = await sit(typed);
    expect(ran.stderr).toContain(sentence);
    expect(ran).toMatchObject({ exitCode: 1, stdout: "" });
  });

  test("takes a claim number, however it is typed, and says which group is wrong", async () => {
    const ran = await sit(["7h2kx 00000 4t9wr yz1q8\n", "\n"]);
    expect(ran.stderr).toMatch(/group \d, \w{5}, is mistyped/);
    expect(ran.exitCode).toBe(1);
  });

  test("asks nothing where what was accepted before is meant", async () => {
    const ran = await sit([], "--accepted", "--partition", "p1", "--cpu", "1");
    expect(ran.stderr).not.toContain(question);
  });
});

test("a threshold is said in core-minutes or cores, counts from the next period, and is never zero", async () => {
  const set = await json("capacity threshold p2 20m");
  expect(set.threshold).toEqual({ kind: "allowance", milliCoreNs: `${20n * 60n * 10n ** 12n}` });
  expect(set.from).toBe("2027-01-31T09:00:00.000Z");
  expect((await type("capacity threshold p2 0m")).stderr).toContain("never zero");
  expect((await type("capacity threshold p2 0.5")).stderr).toContain("compares by allowance");
});

test("what is returned is out of service, and is to be billed", async () => {
  await serveRounds(rig, agent, 2, 1_000);
  const ran = await type("capacity return --partition p1");
  expect(ran.stdout).toMatch(
    /^1 core of p1 is returned \(service_\w+\); its use is to be billed\n$/,
  );
  const nothing = await type("capacity return --partition p1");
  expect(nothing.exitCode).toBe(1);
  const both = await type("capacity return --partition p1 service_x");
  expect(both.stderr).toContain("say what to return");
  expect((await type("capacity bill-now")).stdout).toContain("nothing was used since");
});

test("a host without a server lends nothing, and only a server keeps what was lent", async () => {
  const lent = await type(`capacity lend ${path("first.code")}`);
  expect(lent.stderr).toContain("use it for your own guests with `sublet capacity enable`");
  const [{ codeId }] = (await json("capacity show")).accounts;
  const kept = await type(`capacity keep ${codeId}`);
  expect(kept.stderr).toContain(`sublet capacity keep ${codeId} --host NAME`);
  expect((await type("capacity keep first")).stderr).toContain("is not the id of a code");
});

test("the history shows every act, and an altered one is named", async () => {
  const { stdout } = await type("capacity history");
  for (const kind of ["code-accepted", "service-begun", "service-returned"]) {
    expect(stdout).toContain(kind);
  }
  expect(stdout).toMatch(/\d+ acts, each linked to the one before; the last is [0-9a-f]{12}\n$/);
  const told = await json("capacity history");
  const { hostId } = agent.host;
  expect(checkLinks({ hostId, acts: told.acts })).toBe(told.head);
  const acts: HashedAct[] = structuredClone(told.acts);
  const [, second] = acts;
  if (second === undefined) throw new Error("there is no second act");
  Object.assign(second.record, { at: "2027-01-01T00:00:00.000Z" });
  expect(() => checkLinks({ hostId, acts })).toThrow(
    "act 2 is wrong: its content has another hash",
  );
  expect(() => checkLinks({ hostId, acts: told.acts.slice(1) })).toThrow("act 1 is wrong");
});

test("a report is written to a file, and what is no report or receipt is refused", async () => {
  const ran = await type(`usage export -o ${path("report.json")}`);
  expect(ran.stdout).toMatch(/batches of acts and \d+ of usage are in .*report\.json\n/);
  const report = reportFileSchema.parse(JSON.parse(readFileSync(path("report.json"), "utf8")));
  const whole = exportReport(agent, provider.providerId);
  // Where the ledger stands is said anew each time, behind the acts.
  const acts = [...whole.acts.slice(0, -1), report.acts.at(-1)];
  expect(report).toEqual({ ...whole, acts, writtenAt: report.writtenAt });
  expect(report.usage.length).toBeGreaterThan(0);
  const printed = await type("usage export");
  expect(JSON.parse(printed.stdout)).toEqual({
    ...{ ...report, writtenAt: expect.any(String) },
    acts: [...report.acts.slice(0, -1), expect.any(String)],
  });
  const imported = await type(`usage import ${path("report.json")}`);
  expect(imported.stderr).toContain("this is a report, which its provider takes");
  const card = await type(`usage import ${path("vendor.card")}`);
  expect(card.stderr).toContain("is neither a report nor receipts");
});

test("a provider is untrusted once asked, by name or id, and trusted again by its card", async () => {
  expect((await json("capacity untrust vendor")).error.code).toBe("confirmation-needed");
  const ran = await type("capacity untrust vendor --yes");
  expect(ran.stdout).toBe("vendor is not trusted any more; 1 service is returned\n");
  const { stdout } = await type("capacity history");
  expect(stdout).toMatch(/provider-untrusted\s+party_/);
  expect(stdout).toMatch(/provider-trusted\s+party_\w+, 1 keys/);
  const refused = await type("capacity enable --accepted --partition p1");
  expect(refused.stderr).toContain("vendor (party_");
  expect(refused.stderr).toContain("was untrusted here");
  expect((await type("host show")).stdout).toContain("vendor, not trusted any more");
  const unknown = await type("capacity untrust acme --yes");
  expect(unknown.stderr).toContain("no provider acme is pinned on this host; pinned here: vendor");
  expect((await type(`capacity trust ${path("vendor.card")} --yes`)).stdout).toContain("pinned");
  const again = await type(`capacity untrust ${provider.providerId} --yes`);
  expect(again.stdout).toBe("vendor is not trusted any more; 0 services are returned\n");
});

test("receipts of any number are taken from a file, and a bill that is wanted is said after them", async () => {
  await serveRounds(rig, agent, 2, 61_000);
  const report = exportReport(agent, provider.providerId);
  const about = { iss: provider.providerId, aud: report.hostId, receivedAt: report.writtenAt };
  const [acts] = report.acts.map((jws) => {
    const { batchId, head } = actsBatchSchema.parse(claimedPayload(jws));
    return sign(
      "sublet-acts-receipt",
      { ...about, batchId, contiguousSeq: head.seq },
      provider.key,
    );
  });
  const file = {
    ...{ kind: "sublet-capacity-receipts", version: 1, hostId: report.hostId },
    ...{ providerId: provider.providerId, billNow: { demandedAt: report.writtenAt } },
    receipts: Array.from({ length: 3000 }, () => acts),
  };
  writeFileSync(path("receipts.json"), JSON.stringify(file));
  const ran = await type(`usage import ${path("receipts.json")}`);
  expect(ran.stderr).toBe("");
  expect(ran.stdout).toMatch(/^\d+ acts and 0 records are now known to be with the provider\n$/);
  const told = await json("capacity history");
  expect(told.acts.at(-1).record.act).toMatchObject({ kind: "time-to-bill", reason: "demand" });
});

test("the partitions of the agent that a line names are what completes it", async () => {
  const complete = async (line: string) =>
    (await runCli(["__complete", "--", ...line.split(" "), ""], folder.path)).stdout;
  const at = `--agent ${socket.path}`;
  expect(await complete(`capacity threshold ${at}`)).toBe("p1\tdedicated\np2\tshared\n");
  expect(await complete(`capacity enable ${at} --partition`)).toContain("p1\t");
  expect(await complete(`capacity enable ${at}`)).toBe(":files\n");
});
