import { expect, test } from "vitest";
import { plainText } from "./plain-text.ts";

test("lines and tabs stay, colours go", () => {
  expect(plainText("a\tb\r\n\u001b[31mred\u001b[0m\n")).toBe("a\tb\nred\n");
});

test.each([
  ["a title", "\u001b]0;owned\u0007x"],
  ["a link", "\u001b]8;;http://evil\u0007x\u001b]8;;\u0007"],
  ["an unfinished sequence", "x\u001b["],
  ["a device's answer", "\u001bP1$r0m\u001b\\x"],
  ["an 8-bit sequence", "\u009b31mx"],
  ["a backspace and a bell", "ab\b\b\u0007x"],
  ["a reversed text", "x\u202egpj.exe"],
  ["a carriage return that hides", "rm -rf\rls    x"],
])("%s does nothing to the terminal", (_what, text) => {
  const plain = plainText(text);
  expect(plain).toContain("x");
  expect(plain.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}]/u);
});
