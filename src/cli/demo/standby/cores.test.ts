import { expect, test } from "vitest";
import { ownCores } from "./cores.ts";

test("the cores of a process are read as the kernel lists them", () => {
  const status = (list: string) => `Name:\tnode\nCpus_allowed_list:\t${list}\nMems_allowed:\t1\n`;
  expect(ownCores(status("0"))).toEqual([0]);
  expect(ownCores(status("0-2,5"))).toEqual([0, 1, 2, 5]);
  expect(ownCores("Name:\tnode\n")).toEqual([]);
  expect(ownCores().length).toBeGreaterThan(0);
});
