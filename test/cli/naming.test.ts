import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { newId } from "../../src/unit/id.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";
import { type FakeServer, problem, startFakeServer } from "./fake-server.ts";
import { foundOf, leaseOf, MATCH } from "./shapes.ts";
import { runAtTerminal } from "./terminal.ts";

const folder = makeTempFolder("cli-naming");
const EARLIER = newId("lease", 1_800_000_000_000);
const LATER = newId("lease", 1_800_000_100_000);
let server: FakeServer;
let env: Record<string, string>;

beforeAll(async () => {
  server = await startFakeServer();
  env = { SUBLET_CONFIG: folder.path, SUBLET_SERVER: server.url, SUBLET_KEY: "right" };
});
afterAll(async () => {
  await server.stop();
  folder.remove();
});
beforeEach(() => {
  server.requests.length = 0;
  server.routes = {
    "GET /v1/leases": ({ path }) => {
      // Two pages, so that the second counts too.
      const first = !path.includes("cursor=");
      const lease = leaseOf({ leaseId: first ? LATER : EARLIER, state: "ready" });
      return { json: { leases: [lease], nextCursor: first ? LATER : null } };
    },
    "GET /v1/leases/*": (_, [leaseId]) => ({
      json: { lease: leaseOf({ leaseId: leaseId as typeof EARLIER }), events: [] },
    }),
  };
});
const cli = (...argv: string[]) => runAtTerminal(argv, undefined, env);
const asked = () => server.requests.map(({ method, path }) => `${method} ${path}`);

describe("an id typed short", () => {
  test("is found among all pages of what one may see", async () => {
    for (const typed of [EARLIER.slice(0, 15), EARLIER.slice("lease_".length, -5)]) {
      const ran = await cli("lease", "show", typed, "--json");
      expect(ran.exitCode).toBe(0);
      expect(JSON.parse(ran.stdout).lease.leaseId).toBe(EARLIER);
    }
  });

  test("that is whole asks for no list", async () => {
    await cli("lease", "show", EARLIER);
    expect(asked()).toEqual([`GET /v1/leases/${EARLIER}`]);
  });

  test("that several have changes nothing and names them", async () => {
    const ran = await cli("lease", "end", EARLIER.slice("lease_".length, 10), "--json");
    expect(ran.exitCode).toBe(1);
    const { code, message, about } = JSON.parse(ran.stdout).error;
    expect({ code, candidates: about.candidates }).toEqual({
      code: "ambiguous",
      candidates: [LATER, EARLIER],
    });
    expect(message).toContain("type more of the one that you mean");
    expect(asked().filter((line) => line.startsWith("POST"))).toEqual([]);
  });

  test("that nothing has is refused before anything is asked for", async () => {
    const ran = await cli("lease", "end", "lease_zzzz");
    expect(ran.stderr).toContain("no lease of yours begins with lease_zzzz");
    expect(asked().filter((line) => line.startsWith("POST"))).toEqual([]);
  });

  test("of a run is one of those that were run", async () => {
    const runs = [newId("run", 1_800_000_000_000), newId("run", 1_800_000_100_000)];
    const view = (runId: string) => ({
      ...{ runId, kind: "attached", command: "make", state: "done", exitCode: 0 },
      ...{ createdAt: "2027-01-15T08:00:00.000Z", cancelledAt: null, finishedAt: null },
      ...{ currency: "EUR", billedMicros: "0", leases: [] },
    });
    server.routes["GET /v1/client/runs"] = () => ({
      json: { runs: runs.map(view), nextCursor: null },
    });
    server.routes["GET /v1/client/runs/*"] = (_, [runId]) => ({ json: view(runId ?? "") });
    const [first = ""] = runs;
    for (const verb of ["show", "wait"]) {
      const ran = await cli("run", verb, first.slice(0, 14), "--json");
      expect(JSON.parse(ran.stdout), ran.stdout).toMatchObject({ runId: first });
    }
    const listed = await runAtTerminal(["run", "list"], 80, env);
    expect(listed.stdout).toContain(first.slice(0, 14));
    expect(listed.stdout).not.toContain(first);
    const completed = await cli("__complete", "--", "run", "show", "run_");
    expect(completed.stdout).toContain(first);
  });

  test("of an offer is one that the search shows", async () => {
    server.routes["POST /v1/client/searches"] = () => ({ json: foundOf([MATCH]) });
    server.routes["PUT /v1/client/leases/*"] = () => ({ json: leaseOf() });
    const need = "--cpu 1 --memory 512MiB --disk 1GiB --os small-linux --for 10m".split(" ");
    const ran = await cli("lease", "create", ...need, "--yes", "--offer", "0000");
    expect(ran.exitCode).toBe(0);
    const put = server.requests.find(({ method }) => method === "PUT");
    expect(JSON.parse(put?.body ?? "").offerId).toBe(MATCH.offerId);
  });
});

describe("a table's ids", () => {
  test("are short on a terminal, and what is shown may be typed", async () => {
    const ran = await runAtTerminal(["lease", "list"], 200, { ...env, NO_COLOR: "1" });
    const [, row = ""] = ran.stdout.split("\n");
    const [shown = ""] = row.split(/\s+/);
    expect(shown.length).toBeLessThan(LATER.length);
    const found = await cli("lease", "show", shown, "--json");
    expect(JSON.parse(found.stdout).lease.leaseId).toBe(LATER);
  });

  test("are whole elsewhere and in JSON", async () => {
    expect((await cli("lease", "list")).stdout).toContain(`${LATER}  ready`);
    expect((await cli("lease", "list", "--json")).stdout).toContain(LATER);
  });
});

describe("a name that is not there", () => {
  test("is answered with the one that was meant", async () => {
    server.routes["GET /v1/operator/parties"] = () => ({
      json: { parties: [{ partyId: newId("party"), name: "study", roles: ["client"] }] },
    });
    server.routes["POST /v1/operator/deposits"] = () =>
      problem(404, "not-found", "there is no party studdy", { what: "party", id: "studdy" });
    const ran = await cli("account", "deposit", "studdy", "1.00");
    expect(ran).toMatchObject({ exitCode: 1 });
    expect(ran.stderr).toBe(
      "sublet: there is no party studdy that you may see; did you mean study?\n",
    );
  });

  test("of an operating system too", async () => {
    server.routes["POST /v1/client/searches"] = () =>
      problem(404, "image-unknown", "there is no operating system smal-linux", {
        ...{ os: "smal-linux", known: ["debian-12", "small-linux"] },
      });
    const need = "--cpu 1 --memory 512MiB --disk 1GiB --os smal-linux --for 10m".split(" ");
    const ran = await cli("search", ...need);
    expect(ran.stderr).toContain("did you mean small-linux?");
  });

  test("keeps its refusal when nothing is like it, or the list is refused", async () => {
    const refused = () =>
      problem(404, "not-found", "there is no party xyz; list what there is", {
        ...{ what: "party", id: "xyz" },
      });
    server.routes["POST /v1/operator/deposits"] = refused;
    server.routes["GET /v1/operator/parties"] = () => problem(403, "not-permitted", "no");
    const ran = await cli("account", "deposit", "xyz", "1.00");
    expect(ran.stderr).toBe("sublet: there is no party xyz; list what there is\n");
  });

  test("of a verb or an option is wrong usage that says what is like it", async () => {
    expect((await cli("leese", "list")).stderr).toContain("Did you mean lease?");
    expect((await cli("lease", "shw", EARLIER)).stderr).toContain("Did you mean show?");
    expect((await cli("lease", "list", "--opne")).stderr).toContain("Did you mean --open?");
  });
});
