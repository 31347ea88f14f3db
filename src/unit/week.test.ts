import { expect, test } from "vitest";
import { InputError } from "./quantity.ts";
import { formatWindow, parseWindows } from "./week.ts";

test.each<[string, string[]]>([
  ["mon-fri 08:00-20:00", ["mon-fri 08:00-20:00"]],
  ["sat+sun 10:00-24:00", ["sat+sun 10:00-24:00"]],
  ["Sat,sun 10:00-24:00", ["sat+sun 10:00-24:00"]],
  ["daily 00:00-24:00", ["daily 00:00-24:00"]],
  ["fri-mon 09:00-10:00", ["mon+fri+sat+sun 09:00-10:00"]],
  ["fri 22:00-06:00", ["fri 22:00-24:00", "sat 00:00-06:00"]],
  ["sun 22:00-06:00", ["sun 22:00-24:00", "mon 00:00-06:00"]],
  ["daily 20:00-00:00", ["daily 20:00-24:00"]],
])("%s is read as %j", (text, windows) => {
  expect(parseWindows(text).map(formatWindow)).toEqual(windows);
});

test.each([
  "",
  "mon",
  "mon 8-20",
  "foo 08:00-20:00",
  "mon-foo 08:00-20:00",
  "mon 08:00-25:00",
  "mon 08:00-08:00",
  "mon 24:00-06:00",
  "mon 08:60-09:00",
])("%j is refused with an example", (text) => {
  expect(() => parseWindows(text)).toThrow(InputError);
  expect(() => parseWindows(text)).toThrow("mon-fri 08:00-20:00");
});
