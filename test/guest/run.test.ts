import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Response } from "../../src/api/contract/contract.ts";
import { type Market, openMarket } from "./market.ts";
import { until } from "./processes.ts";
import { ROOT } from "./small-linux.ts";
import { ssh, targetOf } from "./ssh.ts";
import { ownEnvironment, type RunOptions } from "./sublet.ts";

/** Whole jobs in guests of one market, each in a lease of its own that the job ends. */

type RunView = Response<"showRun">;
const NEEDS = [
  ...["--cpu", "1", "--memory", "192MiB", "--disk", "16MiB"],
  ...["--os", "small-linux", "--for", "3m", "--max-cost", "4.00", "--as", "client"],
];
const KEEP = ["--detach", "--keep", "4MiB"];

let market: Market;
let here: string;

beforeAll(async () => {
  market = await openMarket("run");
  here = join(market.folder, "here");
  mkdirSync(join(here, "in put"), { recursive: true });
  await market.verbs.do("account", "deposit", "client", "90.00", "--as", "operator");
}, 120_000);

afterAll(() => market?.close());

const run = (argv: readonly string[], options?: RunOptions) =>
  market.sublet(["run", ...argv], { cwd: here, ...options });
const show = (runId: string) => market.verbs.do<RunView>("run", "show", runId, "--as", "client");
const runs = async () =>
  (await market.verbs.do<Response<"listRuns">>("run", "list", "--as", "client")).runs;

test("a job is booked, sent, run, fetched, ended and billed by one command", async () => {
  writeFileSync(join(here, "in put/a b.csv"), "2\n1\n");
  writeFileSync(join(here, "c.csv"), "3\n");
  const puts = ["--put", "in put", "--put", "c.csv:/data/elsewhere/d.csv"];
  const gets = ["--get", "*.out", "--get", "/data/elsewhere:back/", "--get", "deep:renamed"];
  const line =
    "sort 'in put/a b.csv' /data/elsewhere/d.csv > 'all of it.out'; mkdir deep; echo x > deep/y; cat; echo told >&2; exit 7";
  const ran = await run([...NEEDS, ...puts, ...gets, "--", line], { stdin: "from stdin" });
  expect(ran, ran.stderr).toMatchObject({ exitCode: 7, stdout: "from stdin" });
  expect(ran.stderr).toMatch(/h1\/lend.*at most [\d.]+ EUR/);
  expect(ran.stderr).toMatch(/^ +[\d.]+ s {2}ready/m);
  expect(ran.stderr).toMatch(/^told$/m);
  expect(ran.stderr).toMatch(/^cost 0\.\d+ EUR \(bill_/m);
  expect(ran.stderr).not.toContain("\u001b");
  expect(readFileSync(join(here, "all of it.out"), "utf8")).toBe("1\n2\n3\n");
  expect(readFileSync(join(here, "back/elsewhere/d.csv"), "utf8")).toBe("3\n");
  expect(readFileSync(join(here, "renamed/y"), "utf8")).toBe("x\n");
  const [known] = await runs();
  expect(known).toMatchObject({ kind: "attached", state: "failed", exitCode: 7 });
  expect(known?.leases).toMatchObject([{ state: "ended", billId: expect.any(String) }]);
});

test("what would cost too much is refused before anything is booked, with what would not", async () => {
  const before = (await runs()).length;
  const dear = await run([...NEEDS, "--max-cost", "0.75", "--json", "--", "true"]);
  expect(dear.exitCode).toBe(255);
  expect(dear.error()).toMatchObject({ code: "cost-above-limit" });
  expect(dear.error().message).toMatch(/up to 1\.\d+ EUR for 3m.*--for 1m/);
  expect(await runs()).toHaveLength(before);
});

test("a detached job outlives the client, the server and its lease, and what it left is fetched", async () => {
  writeFileSync(join(here, "in.txt"), "in\n");
  const line =
    "echo begun; until [ -e go ]; do sleep 1; done; tr a-z A-Z < in.txt > out.txt; echo ended; echo bad >&2; exit 3";
  const argv = [...NEEDS, ...KEEP, "--put", "in.txt", "--get", "out.txt", "--get", "none"];
  const begun = await run([...argv, "--json", "--", line]);
  expect(begun.exitCode, begun.stderr).toBe(0);
  const { runId, leaseId } = begun.json<{ runId: string; leaseId: string }>();
  // The client that started it is gone; now the server is, too, until the command has ended.
  const following = spawn(
    process.execPath,
    [join(ROOT, "src/cli/main.ts"), "run", "logs", "-f", runId, "--as", "client"],
    {
      env: { ...ownEnvironment(), SUBLET_CONFIG: market.configFolder },
      stdio: ["ignore", "pipe", "ignore"],
    },
  );
  const [first] = (await once(following.stdout, "data")) as [Buffer];
  expect(first.toString()).toBe("begun\n");
  following.kill("SIGKILL");
  const { lease } = await market.verbs.do<Response<"showLease">>(
    ...["lease", "show", leaseId, "--as", "client"],
  );
  await market.server.kill();
  const target = targetOf(market, lease);
  expect(await ssh(target, `cd /data/${runId}/work && touch go`)).toMatchObject({ exitCode: 0 });
  await until("the guest is stopped without its server", async () =>
    readFileSync(market.agent.logPath, "utf8").includes(
      `"leaseId":"${leaseId}","reason":"run-done"`,
    )
      ? true
      : undefined,
  );
  await market.server.start();
  const ended = await until(
    "the lease is over by itself",
    async () => {
      const now = await show(runId);
      return now.leases[0]?.billId ? now : undefined;
      // Its agent comes back to the server within half a minute.
    },
    90_000,
  );
  expect(ended).toMatchObject({ state: "failed", exitCode: 3 });
  expect(ended.leases[0]).toMatchObject({ state: "ended", outcome: "completed" });
  expect(ended.leases[0]?.outputs).toMatchObject({ state: "kept" });
  const logs = await run(["logs", runId, "--as", "client"]);
  expect(logs).toMatchObject({ exitCode: 0, stdout: "begun\nended\n", stderr: "bad\n" });
  const waited = await run(["wait", runId, "--as", "client"]);
  expect(waited.exitCode, waited.stderr).toBe(3);
  expect(waited.stderr).toContain("there is no none in the guest");
  expect(readFileSync(join(here, "out.txt"), "utf8")).toBe("IN\n");
  const after = await show(runId);
  expect(after.leases[0]?.outputs).toMatchObject({ state: "gone", reason: "fetched" });
  expect(
    readdirSync(join(market.folder, "server/outputs"), { recursive: true }).join(),
  ).not.toMatch(/[0-9a-f]{64}/);
  expect(await run(["logs", runId, "--as", "client"])).toMatchObject({ stdout: "begun\nended\n" });
  expect(readdirSync(market.guestsFolder)).not.toContain(leaseId);
});

test("a detached job that is cancelled is asked to end, tells how, and its lease ends", async () => {
  const line = "trap 'echo tidy; exit 9' TERM; echo up; sleep 60 & wait";
  const begun = await run([...NEEDS, ...KEEP, "--json", "--", line]);
  const { runId } = begun.json<{ runId: string }>();
  await until("its host has told that it runs", async () =>
    (await show(runId)).state === "running" ? true : undefined,
  );
  const cancelled = await run(["cancel", runId, "--json", "--as", "client"]);
  expect(cancelled.json<RunView>(), cancelled.stderr).toMatchObject({
    state: "cancelled",
    exitCode: 9,
  });
  expect(await run(["logs", runId, "--as", "client"])).toMatchObject({ stdout: "up\ntidy\n" });
});

test("a client that is told to end ends its lease, or leaves it, as it was said", async () => {
  for (const [policy, wanted] of [
    ["end", "ended"],
    ["leave", "ready"],
  ] as const) {
    const child = spawn(
      process.execPath,
      [
        join(ROOT, "src/cli/main.ts"),
        "run",
        ...NEEDS,
        "--on-interrupt",
        policy,
        "--",
        "echo up; sleep 60",
      ],
      {
        env: { ...ownEnvironment(), SUBLET_CONFIG: market.configFolder },
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    // Once while it boots, once while its command runs.
    const [stream, text] = wanted === "ended" ? [child.stderr, "booked"] : [child.stdout, "up"];
    const said = await Promise.race([heard(stream, text), once(child, "exit")]);
    expect(said).toBe(text);
    child.kill("SIGTERM");
    const [code] = await once(child, "exit");
    expect(code, policy).toBe(143);
    const [known] = await runs();
    expect(known?.leases[0]?.state).toBe(wanted);
    if (wanted === "ready") {
      const lease = known?.leases[0]?.leaseId ?? "";
      const there = ["--lease", lease, "--as", "client", "--get", "made", "--"];
      const inside = await run([...there, "echo hi > made; kill -9 $$"]);
      expect(inside.exitCode, inside.stderr).toBe(137);
      expect(readFileSync(join(here, "made"), "utf8")).toBe("hi\n");
      await run(["cancel", known?.runId ?? "", "--as", "client"]);
    }
  }
});

async function heard(stream: Readable, text: string): Promise<string> {
  let said = "";
  for await (const chunk of stream) {
    said += String(chunk);
    if (said.includes(text)) break;
  }
  return text;
}

test("inputs are shared out over two leases, and there is one bill", async () => {
  const { verbs } = market;
  const size = ["--memory", "256MiB", "--disk", "64MiB", "--as", "lender"];
  const prices = ["--price-shared-core", "36.00/h", "--price-memory", "3.60/h"];
  const lengths = ["--min-lease", "1m", "--max-lease", "1d", "--as", "lender"];
  for (const name of ["lend", "own"]) {
    const cpu = ["--cpu", "0.8", "--shared", "--lendable"];
    await verbs.do("partition", "set", "h1", name, ...cpu, ...size);
    await verbs.do("offer", "set", "h1", name, ...prices, ...lengths);
  }
  mkdirSync(join(here, "data"), { recursive: true });
  for (const name of ["a", "b", "c d"]) writeFileSync(join(here, `data/${name}.csv`), `${name}\n`);
  const wish = ["--cpu", "0.8", "--shared", "--memory", "192MiB", "--disk", "16MiB"];
  const rest = ["--os", "small-linux", "--for", "3m", "--max-cost", "4.00", "--as", "client"];
  const list = ["--parallel", "2", "--input", "data/*.csv", "--get", "{/.}.out:results/"];
  // Long enough that the guest which boots last finds something left.
  const line = "sleep 4; cat {}; cp {} {/.}.out; case {} in *b.csv) exit 4;; esac";
  const ran = await run([...wish, ...rest, ...list, "--json", "--", line]);
  const said = ran.json<{
    inputs: { input: string; exitCode: number; leaseId: string; stdout: string }[];
    leases: { billId: string; totalMicros: string }[];
    billedMicros: string;
  }>();
  expect(ran.exitCode, ran.stderr).toBe(1);
  const found = Object.fromEntries(said.inputs.map((one) => [one.input, one]));
  expect(found["data/b.csv"]).toMatchObject({ exitCode: 4, stdout: "b\n" });
  expect(found["data/c d.csv"]).toMatchObject({ exitCode: 0, stdout: "c d\n" });
  expect(said.inputs).toHaveLength(3);
  expect(new Set(said.inputs.map(({ leaseId }) => leaseId)).size).toBe(2);
  expect(readdirSync(join(here, "results")).sort()).toEqual(["a.out", "b.out", "c d.out"]);
  expect(ran.stderr).toMatch(/3 inputs: 2 done, 1 failed: data\/b.csv \(exit 4\)/);
  const sum = said.leases.reduce((total, lease) => total + BigInt(lease.totalMicros), 0n);
  expect(said.billedMicros).toBe(String(sum));
  expect(ran.stderr).toMatch(/in all +\d+\.\d+ EUR/);
}, 120_000);
