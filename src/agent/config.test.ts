import { expect, test } from "vitest";
import { configFrom, lentFrom, RESERVE_DEFAULT } from "./config.ts";
import { formatCoreList, parseCoreList } from "./core-list.ts";

const GIB = 1024 ** 3;
const MACHINE = {
  ...{ cores: [0, 1, 2, 3], kernel: "6.1", cpuModel: "test" },
  ...{ memoryBytes: 16 * GIB, memoryAvailableBytes: 8 * GIB },
  ...{ diskBytes: 100 * GIB, diskAvailableBytes: 50 * GIB },
};
const OPTIONS = { dataFolder: "data" };

test("by default all cores are lent, and half of the memory and disk that is free", () => {
  const lent = lentFrom(OPTIONS, MACHINE, null);
  expect(lent).toMatchObject({ cores: [0, 1, 2, 3], reserve: RESERVE_DEFAULT });
  expect(lent.base).toEqual({
    cpuMilli: 3750,
    memoryBytes: 4 * GIB - RESERVE_DEFAULT.memoryBytes,
    diskBytes: 24 * GIB,
  });
});

test("what the defaults came to at the first start stays", () => {
  const before = { memoryBytes: 2 * GIB, diskBytes: 3 * GIB };
  expect(lentFrom(OPTIONS, MACHINE, before).told).toMatchObject(before);
});

test("no more is lent than there is, and the refusal has a name", () => {
  const refused = (options: object) => () => lentFrom({ ...OPTIONS, ...options }, MACHINE, null);
  expect(refused({ cores: "2-5" })).toThrow(/core 4-5 is not .* 0-3/);
  expect(refused({ memoryBytes: 17 * GIB })).toThrow(/16GiB of memory and not 17GiB/);
  expect(refused({ diskBytes: 101 * GIB })).toThrow(/100GiB of disk/);
  expect(refused({ memoryBytes: 1024 })).toThrow(/reserve/);
});

test("reserve and base are whole cores that are there: dedicated cores and shared ones fit beside it", () => {
  for (const cpuMilli of [0, 1, 250, 999, 1000, 1750]) {
    const options = { ...OPTIONS, cores: "1-3", reserve: { ...RESERVE_DEFAULT, cpuMilli } };
    const { cores, reserve, base } = lentFrom(options, MACHINE, null);
    expect(reserve.cpuMilli + base.cpuMilli).toBe(cores.length * 1000);
    // Whole dedicated cores within the base leave room for all of the rest and the reserve.
    const dedicated = Math.floor(base.cpuMilli / 1000);
    const rest = base.cpuMilli - dedicated * 1000;
    expect(dedicated + Math.ceil((rest + reserve.cpuMilli) / 1000)).toBe(cores.length);
  }
});

test("a list of cores reads as it is written", () => {
  for (const text of ["0", "0-3", "0-3,5", "1,3,5-7"]) {
    expect(formatCoreList(parseCoreList(text))).toBe(text);
  }
  expect(parseCoreList(" 5, 0-2,1 ")).toEqual([0, 1, 2, 5]);
  for (const text of ["", "a", "3-1", "0-99999", "1,,2", "-1"]) {
    expect(() => parseCoreList(text), text).toThrow(/write it like/);
  }
});

test("a resolver that guests cannot reach is refused by name", () => {
  const resolversOf = (...resolvers: string[]) =>
    configFrom({ dataFolder: "/d", resolvers }).resolvers;
  expect(resolversOf()).toEqual([]);
  expect(resolversOf("9.9.9.9", "1.1.1.1")).toEqual(["9.9.9.9", "1.1.1.1"]);
  for (const refused of [
    ["192.168.0.1"],
    ["dns.example"],
    ["9.9.9.9", "8.8.8.8", "1.1.1.1", "1.0.0.1"],
  ]) {
    expect(() => resolversOf(...refused)).toThrow(/--resolver 9\.9\.9\.9/);
  }
});
