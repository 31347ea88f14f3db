import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { ROOT } from "./small-linux.ts";
import { beginWalk, replay, type Walk } from "./walk.ts";

/** The second walk begins at its heading, and goes to the next one. */
const [market = "", standby = ""] = readFileSync(join(ROOT, "README.md"), "utf8").split(
  /^## Standby capacity$/m,
);
let walk: Walk | undefined;
afterEach(() => walk?.close());

test("the README's walk, as typed, shows what the README says", async () => {
  walk = await beginWalk("readme", "market");
  await replay(walk, market, 20);
});

test("the README's walk with standby capacity, as typed, shows what the README says", async () => {
  expect(standby).toContain("```console");
  walk = await beginWalk("readme-standby", "island");
  await replay(walk, standby, 15);
});
