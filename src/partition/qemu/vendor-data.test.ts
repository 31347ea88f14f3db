import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { makeTempFolder } from "../../../test/setup/temp-folder.ts";
import { vendorData } from "./vendor-data.ts";

test("a vendor's image learns to bring on line what is added to it, and keeps rules of its own", () => {
  const path = join(makeTempFolder("rules").path, "80-rules");
  const [command] = vendorData().bootcmd;
  const [program = "", ...args] = (command ?? []).map((text) =>
    text.replaceAll("/etc/udev/rules.d/80-sublet-hot-plug.rules", path),
  );
  execFileSync(program, args);
  const rules = readFileSync(path, "utf8").trim().split("\n");
  expect(rules).toHaveLength(2);
  expect(rules[0]).toMatch(/^SUBSYSTEM=="cpu", ACTION=="add".*ATTR\{online\}="1"$/);
  expect(rules[1]).toMatch(/^SUBSYSTEM=="memory".*ATTR\{state\}="online_movable"$/);
  execFileSync("sh", ["-c", `echo own > ${path}`]);
  execFileSync(program, args);
  expect(readFileSync(path, "utf8")).toBe("own\n");
});
