import { expect, test } from "vitest";
import type { Size } from "../unit/size.ts";
import { type HeldAllocation, place, poolOf } from "./allocation.ts";

const HOST = {
  cores: [3, 1, 0, 2],
  base: { cpuMilli: 3750, memoryBytes: 1000, diskBytes: 1000 },
  sharedCpu: true,
};

test("the lowest cores that nobody has are given", () => {
  expect(place(dedicated(2000), HOST, [])).toEqual({ ok: true, cores: [0, 1] });
  expect(place(dedicated(1000), HOST, [held(1000, [0])])).toEqual({ ok: true, cores: [1] });
});

test("the reserve's part of a core is nobody's", () => {
  expect(place(dedicated(4000), HOST, [])).toMatchObject({ code: "capacity-exceeded" });
});

test("partitions at rest keep what is theirs", () => {
  expect(place(dedicated(2000), HOST, [held(2000, [])])).toMatchObject({
    ...{ code: "capacity-exceeded", mayPass: false },
  });
});

test("memory and disk are sums within the base", () => {
  for (const more of [{ memoryBytes: 901 }, { diskBytes: 901 }]) {
    const wanted = { ...dedicated(1000), size: { ...size(1000), ...more } };
    expect(place(wanted, HOST, [held(1000, [0])])).toMatchObject({ code: "capacity-exceeded" });
  }
});

test("what a lease that ends still holds may be waited for", () => {
  const ending = { ...held(3000, [0, 1, 2]), isEnding: true };
  expect(place(dedicated(1000), HOST, [ending])).toMatchObject({ mayPass: true });
});

test("a fraction of a core is not dedicated, and is shared only where a group can hold it", () => {
  for (const cpuMilli of [0, 500, 1500]) {
    expect(place(dedicated(cpuMilli), HOST, [])).toMatchObject({ code: "fractions-unsupported" });
  }
  const without = { ...HOST, sharedCpu: false };
  for (const cpuMilli of [500, 1000]) {
    const refused = place(shared(cpuMilli), without, []);
    expect(refused).toMatchObject({ code: "fractions-unsupported" });
  }
  expect(place(shared(9), HOST, [])).toMatchObject({ code: "fractions-unsupported" });
});

test("a shared guest has the pool: all cores that no dedicated guest has", () => {
  expect(place(shared(500), HOST, [])).toEqual({ ok: true, cores: [0, 1, 2, 3] });
  const others = [held(1000, [0]), { ...held(500, [0, 1, 2, 3]), cpuMode: "shared" as const }];
  expect(place(shared(1500), HOST, others)).toEqual({ ok: true, cores: [1, 2, 3] });
  expect(poolOf(HOST.cores, others)).toEqual([1, 2, 3]);
});

test("entitlements together never exceed the pool, whichever kind comes last", () => {
  // A host that came again with fewer cores than it had promised.
  const small = { ...HOST, cores: [0, 1] };
  const others = [{ ...held(1500, [0, 1]), cpuMode: "shared" as const }];
  expect(place(shared(500), small, others)).toEqual({ ok: true, cores: [0, 1] });
  expect(place(shared(501), small, others)).toMatchObject({ code: "capacity-exceeded" });
  expect(place(dedicated(1000), small, others)).toMatchObject({ code: "capacity-exceeded" });
  expect(place(dedicated(1000), HOST, others)).toEqual({ ok: true, cores: [0] });
});

function size(cpuMilli: number): Size {
  return { cpuMilli, memoryBytes: 100, diskBytes: 100 };
}

function dedicated(cpuMilli: number) {
  return { size: size(cpuMilli), cpuMode: "dedicated" } as const;
}

function shared(cpuMilli: number) {
  return { size: size(cpuMilli), cpuMode: "shared" } as const;
}

function held(cpuMilli: number, cores: readonly number[]): HeldAllocation {
  return {
    ...{ partitionId: "partition_other", size: size(cpuMilli), cpuMode: "dedicated" },
    ...{ cores, isEnding: false },
  };
}
