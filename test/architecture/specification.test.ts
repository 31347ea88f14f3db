import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const text = readFileSync(`${ROOT}SPECIFICATION.md`, "utf8");
const rows = text.split("\n").filter((line) => line.startsWith("| "));

/** Every numbered clause of the two documents. */
const CLAUSES = [
  ...["A1.1", "A1.2", "A1.3", "A1.4", "A1.5", "A1.6", "A1.7", "A1.8", "A1.9"],
  ...["A2.1", "A2.2", "A2.3", "A3.1", "A3.2", "A3.3", "A4.1", "A5.1", "A6.1", "A6.2", "A7.1"],
  ...["A8.1", "A8.3", "A8.5", "A8.6", "A8.7", "A8.8", "A9.1", "A10.1", "A11"],
  ...Array.from({ length: 18 }, (_, index) => `B${index + 1}`),
  ...Array.from({ length: 11 }, (_, index) => `I${index + 1}`),
];

test.for(CLAUSES)("%s has its line: a test, or pending", (clause) => {
  const lines = rows.filter((row) => row.startsWith(`| ${clause} |`));
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/`(test|src)\/[^`]+`|\*pending\*/);
});

test("every test that the specification names exists", () => {
  const named = [...text.matchAll(/`((?:test|src)\/[^`]+\.test\.ts)`(?: › "([^"]+)")?/g)];
  expect(named.length).toBeGreaterThan(40);
  for (const [, path = "", name] of named) {
    expect(existsSync(ROOT + path), path).toBe(true);
    if (name === undefined) continue;
    const source = readFileSync(ROOT + path, "utf8");
    expect(source.includes(name) || matchesTemplate(source, name), `${path} › ${name}`).toBe(true);
  }
});

/** A test whose name is filled in from a table. */
function matchesTemplate(source: string, name: string): boolean {
  const templates = [...source.matchAll(/"([^"\n]*%s[^"\n]*)"/g)].map(
    ([, template = ""]) => template,
  );
  return templates.some((template) => {
    const parts = template.split("%s").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    return new RegExp(`^${parts.join(".+")}$`).test(name);
  });
}
