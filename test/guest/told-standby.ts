import { expect } from "vitest";
import type { PlayedStandby, StandbyFacts } from "../../src/cli/demo/facts.ts";

/** What one hour of a core costs in the story, in micro-units. */
const PRICE_MICROS = 36_000_000n;

/** Of the demo's host with a core in standby: what it says of itself adds up. */
export function expectStandby(facts: StandbyFacts): asserts facts is PlayedStandby {
  expect(facts).toMatchObject({
    hostId: expect.stringMatching(/^host_/),
    requestId: expect.stringMatching(/^request_/),
    codeId: expect.stringMatching(/^code_/),
    billingPeriodSeconds: 20,
    verified: true,
    export: ".cache/demo/capacity.json",
  });
  if ("skipped" in facts) return;
  expectDedicated(facts);
  expectShared(facts);
}

function expectDedicated({ dedicated }: PlayedStandby): void {
  // Elsewhere QEMU adds no cpu to a running guest.
  if (process.arch !== "x64" && "skipped" in dedicated) return;
  if ("skipped" in dedicated) throw new Error(`nothing was enabled: ${dedicated.skipped}`);
  expect(dedicated.guestCpus).toEqual({ before: 1, during: 2, after: 1 });
  expect(dedicated.billIds.length).toBeGreaterThan(0);
  // It computed for two seconds.
  expect(BigInt(dedicated.usedNs)).toBeGreaterThan(2_000_000_000n);
  expectPrice(dedicated.usedNs, dedicated.amountMicros, dedicated.billIds.length);
}

function expectShared({ shared }: PlayedStandby): void {
  if ("skipped" in shared) throw new Error(`nothing was shared: ${shared.skipped}`);
  expect(shared.billIds.length).toBeGreaterThan(0);
  const thresholds = { busy: 2_000_000_000n, calm: 10_000_000_000n };
  for (const [name, thresholdNs] of Object.entries(thresholds)) {
    const lines = shared.lines.filter(({ partition }) => partition === name);
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) {
      expect(BigInt(line.thresholdNs)).toBe(thresholdNs);
      const above = BigInt(line.usedNs) - thresholdNs;
      expect(BigInt(line.excessNs)).toBe(above > 0n ? above : 0n);
      expectPrice(line.excessNs, line.amountMicros, 1);
    }
    const usedNs = lines.reduce((sum, line) => sum + BigInt(line.usedNs), 0n);
    const counted = shared.kernelNs[name];
    expect(usedNs).toBeGreaterThanOrEqual(BigInt(counted?.atLeast ?? 0));
    expect(usedNs).toBeLessThanOrEqual(BigInt(counted?.atMost ?? 0));
    expect(usedNs).toBeGreaterThan(0n);
    const amount = lines.reduce((sum, { amountMicros }) => sum + BigInt(amountMicros), 0n);
    if (name === "calm") expect(amount).toBe(0n);
    else expect(amount).toBeGreaterThan(0n);
  }
}

/** To the micro-unit, once rounded on each bill. */
function expectPrice(coreNs: string, amountMicros: string, bills: number): void {
  const nsPerHour = 3_600_000_000_000n;
  const off = BigInt(amountMicros) * nsPerHour - BigInt(coreNs) * PRICE_MICROS;
  expect(off < 0n ? -off : off).toBeLessThanOrEqual((nsPerHour / 2n) * BigInt(bills));
}
