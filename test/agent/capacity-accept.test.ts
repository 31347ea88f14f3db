import { expect, test } from "vitest";
import { acceptCode } from "../../src/agent/capacity/accept.ts";
import { listCodes } from "../../src/agent/capacity/code-store.ts";
import { newId } from "../../src/unit/id.ts";
import { createProvider, kindsOf, STANDBY } from "./capacity.ts";
import { createRig } from "./harness.ts";

async function world() {
  const rig = createRig(STANDBY);
  const provider = createProvider();
  const agent = await rig.startAlone();
  provider.pin(agent);
  return { rig, provider, agent };
}

test("a code altered in any single character is refused, and changes nothing", async () => {
  const { provider, agent } = await world();
  const code = provider.code(agent);
  for (let at = 0; at < code.length; at++) {
    const other = code[at] === "A" ? "B" : "A";
    const altered = code.slice(0, at) + other + code.slice(at + 1);
    expect(acceptCode(agent, altered), `character ${at}`).toHaveProperty("httpStatus");
  }
  for (const cut of [code.slice(0, -1), code.slice(1), code.slice(0, 300), ""]) {
    expect(acceptCode(agent, cut)).toMatchObject({ code: "code-refused" });
  }
  expect(listCodes(agent.db)).toEqual([]);
  expect(kindsOf(agent)).toEqual([]);
  expect(acceptCode(agent, code)).toMatchObject({ isAlreadyApplied: false });
}, 60_000);

test("codes are taken in any order, each once; a replay adds nothing", async () => {
  const { provider, agent } = await world();
  const [first, second] = [provider.code(agent), provider.code(agent)];
  for (const code of [second, first]) {
    expect(acceptCode(agent, code)).toMatchObject({ isAlreadyApplied: false });
  }
  expect(acceptCode(agent, second)).toMatchObject({ isAlreadyApplied: true });
  expect(listCodes(agent.db)).toHaveLength(2);
  expect(kindsOf(agent)).toEqual(["code-accepted", "code-accepted"]);
});

test("an id that was accepted with other content is a conflict", async () => {
  const { provider, agent } = await world();
  const code = provider.codeFor(agent.host.hostId);
  acceptCode(agent, provider.sign(code));
  const more = provider.sign({ ...code, resourceTime: `${code.resourceTime}0` });
  expect(acceptCode(agent, more)).toMatchObject({
    ...{ code: "code-refused", detail: { reason: "code-conflict" } },
  });
});

test("a code of another time, or for more than is installed, is refused by name", async () => {
  const { provider, agent } = await world();
  const over = { validity: { start: "2026-01-01T00:00:00Z", end: "2026-02-01T00:00:00Z" } };
  const reasons = [over, { quantity: 64_000 }].map((change) =>
    acceptCode(agent, provider.code(agent, change)),
  );
  expect(reasons).toMatchObject([
    { detail: { reason: "code-expired" } },
    { detail: { reason: "no-standby" } },
  ]);
});

test("a provider that is not pinned enables nothing", async () => {
  const { agent } = await world();
  expect(acceptCode(agent, createProvider().code(agent))).toMatchObject({
    code: "provider-not-trusted",
  });
});

test("other hosts' codes are refused by name, then wait; a right one never does", async () => {
  const { rig, provider, agent } = await world();
  const strange = () => provider.sign(provider.codeFor(newId("host")));
  const codes = Array.from({ length: 6 }, () => acceptCode(agent, strange()));
  expect(codes[0]).toMatchObject({ detail: { reason: "other-host" } });
  expect(codes.at(-1)).toMatchObject({ code: "codes-too-often", httpStatus: 429 });
  expect(acceptCode(agent, provider.code(agent))).toMatchObject({ isAlreadyApplied: false });
  rig.clock.pass(600_000);
  expect(acceptCode(agent, strange())).toMatchObject({ detail: { reason: "other-host" } });
});

test("one of two hosts takes a code, and only the one that it is for", async () => {
  const [a, b] = [await world(), await world()];
  b.provider.pin(b.agent);
  a.provider.pin(b.agent);
  const code = a.provider.code(a.agent);
  expect(acceptCode(b.agent, code)).toMatchObject({ detail: { reason: "other-host" } });
  expect(acceptCode(a.agent, code)).toMatchObject({ isAlreadyApplied: false });
});
