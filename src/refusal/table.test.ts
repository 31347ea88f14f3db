import { expect, test } from "vitest";
import { REFUSALS, type RefusalCode } from "./table.ts";

/** Their sentence is that of whoever refuses, who knows what was wrong and tells the way out. */
const SAID_ELSEWHERE: ReadonlySet<RefusalCode> = new Set<RefusalCode>([
  ...(["invalid-input", "size-outside-limits", "image-part-wrong"] as const),
  ...(["claim-mistyped", "partition-shape", "capacity-wrong-mode", "threshold-refused"] as const),
  ...(["disk-references-files", "disk-unreadable", "unsupported"] as const),
]);

/** What a person can do: a verb to type, or an act that somebody is told to do. */
const WAY_OUT =
  /`sublet |--\w|\/v1\/openapi|\b(ask|book|change|choose|end|extend|give|let|list|look|lower|make|raise|remove|run|search|send|set|shrink|start|stop|try|upload|use|wait|write)\b/;

/** Whatever a sentence asks of its detail, there is something of that kind. */
const detail = (list: readonly unknown[]): object =>
  new Proxy(
    {},
    {
      get: (_, name) =>
        ["roles", "known", "leases", "reasons", "providers", "services"].includes(String(name))
          ? list
          : `its-${String(name)}`,
    },
  );

const codes = (Object.keys(REFUSALS) as RefusalCode[]).filter((code) => !SAID_ELSEWHERE.has(code));

test.each(codes)("%s ends with what to do", (code) => {
  const sentence = REFUSALS[code].sentence as (detail: object) => string;
  for (const list of [[], [{ leaseId: "its-lease", state: "ready", period: "then" }]]) {
    const said = sentence(detail(list));
    const [, ...after] = said.split(/[;:,] /);
    expect(after.join("; "), said).toMatch(WAY_OUT);
    expect(said, said).toMatch(/^[^A-Z]/);
    expect(said, said).not.toMatch(/\.$|undefined/);
  }
});

test("a sentence without a way out would be found", () => {
  for (const said of ["the host is away", "it is in use by another lease"]) {
    const [, ...after] = said.split(/[;:,] /);
    expect(after.join("; ")).not.toMatch(WAY_OUT);
  }
});
