import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  formatBytes,
  formatCpu,
  formatDurationSeconds,
  InputError,
  parseBytes,
  parseCpu,
  parseDurationSeconds,
  parseInstant,
} from "./quantity.ts";

describe("bytes", () => {
  test.each<[string, number]>([
    ["0", 0],
    ["1000", 1000],
    ["1B", 1],
    ["512MiB", 512 * 2 ** 20],
    ["512 MiB", 512 * 2 ** 20],
    ["1.5GiB", 1.5 * 2 ** 30],
    ["20GB", 20e9],
    ["0.001kB", 1],
    ["2TiB", 2 * 2 ** 40],
    ["9007199254740991", Number.MAX_SAFE_INTEGER],
  ])("%s", (text, bytes) => {
    expect(parseBytes(text)).toBe(bytes);
  });

  test.each([
    "",
    "MiB",
    "-1B",
    "1.5",
    "0.1B",
    "1,5GiB",
    "512mib",
    "512KB",
    "512M",
    "1iB",
    "8192TiB",
    "1e3",
    "0x10",
  ])("%j is refused with an example", (text) => {
    expect(() => parseBytes(text)).toThrow(InputError);
  });

  test.each<[number, string]>([
    [0, "0B"],
    [1000, "1000B"],
    [1024, "1KiB"],
    [512 * 2 ** 20, "512MiB"],
    [1.5 * 2 ** 30, "1.5GiB"],
    [2 ** 40 + 2 ** 38, "1.25TiB"],
    [2 ** 30 + 1, "1073741825B"],
    // Its hundredfold in TiB, as a floating-point number, looks whole and is not.
    [9_006_946_367_066_603, "9006946367066603B"],
  ])("%d is shown as %s", (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  test("what is shown reads back as the same count", () => {
    const sizes = fc.oneof(
      fc.nat({ max: Number.MAX_SAFE_INTEGER }),
      fc.nat({ max: 2 ** 23 }).map((kib) => kib * 2 ** 28),
      fc.nat({ max: 100_000 }).map((below) => Number.MAX_SAFE_INTEGER - below),
    );
    fc.assert(
      fc.property(sizes, (bytes) => {
        expect(parseBytes(formatBytes(bytes))).toBe(bytes);
        expect(formatBytes(bytes)).toMatch(/^\d+(\.\d{1,2})?[KMGT]?i?B$/);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("cores", () => {
  test.each<[string, number]>([
    ["2", 2000],
    ["0.5", 500],
    ["0.001", 1],
    ["500m", 500],
    ["0", 0],
  ])("%s", (text, cpuMilli) => {
    expect(parseCpu(text)).toBe(cpuMilli);
  });

  test.each(["", "-1", ".5", "0.0001", "1.5m", "2 cores", "1e1", "100000"])(
    "%j is refused",
    (text) => {
      expect(() => parseCpu(text)).toThrow(InputError);
    },
  );

  test("what is shown reads back as the same", () => {
    fc.assert(
      fc.property(fc.nat({ max: 99_999_999 }), (cpuMilli) => {
        expect(parseCpu(formatCpu(cpuMilli))).toBe(cpuMilli);
      }),
    );
  });
});

describe("lengths of time", () => {
  test.each<[string, number]>([
    ["45s", 45],
    ["90m", 5400],
    ["2h", 7200],
    ["1h30m", 5400],
    ["30d", 2_592_000],
    ["0s", 0],
  ])("%s", (text, seconds) => {
    expect(parseDurationSeconds(text)).toBe(seconds);
  });

  test.each(["", "90", "1.5h", "h", "-1h", "1h 30m", "1w", "1H", "1234567s"])(
    "%j is refused",
    (text) => {
      expect(() => parseDurationSeconds(text)).toThrow(InputError);
    },
  );

  test("what is shown reads back as the same", () => {
    fc.assert(
      fc.property(fc.nat({ max: 999_999 * 86_400 }), (seconds) => {
        expect(parseDurationSeconds(formatDurationSeconds(seconds))).toBe(seconds);
      }),
    );
  });
});

describe("instants", () => {
  const now = new Date("2027-01-31T08:00:00.500Z");

  test.each<[string, string]>([
    ["now", "2027-01-31T08:00:00.500Z"],
    ["now+2h", "2027-01-31T10:00:00.500Z"],
    ["2027-01-31T08:00Z", "2027-01-31T08:00:00.000Z"],
    [" 2027-01-31T08:00:01.25Z ", "2027-01-31T08:00:01.250Z"],
    ["2027-01-31T08:00+05:30", "2027-01-31T02:30:00.000Z"],
    ["2028-02-29T00:00Z", "2028-02-29T00:00:00.000Z"],
  ])("%s", (text, iso) => {
    expect(parseInstant(text, now).toISOString()).toBe(iso);
  });

  test.each([
    "",
    "tomorrow",
    "now+",
    "now-1h",
    "now+2",
    "2027-01-31",
    "2027-01-31T08:00",
    "2027-01-31 08:00Z",
    "2027-02-30T08:00Z",
    "2027-02-29T08:00Z",
    "2027-13-01T08:00Z",
    "2027-01-00T08:00Z",
    "2027-01-31T25:00Z",
    "2027-01-31T08:00+24:00",
    `now+${"999999d".repeat(101)}`,
  ])("%j is refused", (text) => {
    expect(() => parseInstant(text, now)).toThrow(InputError);
  });
});
