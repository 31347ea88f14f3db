/** What the demo computes in the partition, and here, to compare. */
const NUMBERS = 1500;

/** The numbers, one a line: made by a rule, so that nobody has to be believed. */
export function demoInput(): string {
  let state = 2026;
  let text = "";
  for (let i = 0; i < NUMBERS; i++) {
    state = (state * 48_271) % 2_147_483_647;
    text += `${(state % 9_999) + 1}\n`;
  }
  return text;
}

/** For each number, how many steps 3n+1 takes to come to 1. In awk: any guest has one. */
export const DEMO_PROGRAM = `awk '{ n = $1; steps = 0
  while (n != 1) { if (n % 2) n = 3 * n + 1; else n = n / 2; steps++ }
  print $1, steps > "/data/result.txt"
  if (NR % 500 == 0) { print "  in the partition: " NR " numbers done"; fflush() } }' /data/numbers.txt`;

export function computeHere(input: string): string {
  let text = "";
  for (const line of input.split("\n")) {
    if (line === "") continue;
    let n = Number(line);
    let steps = 0;
    for (; n !== 1; steps++) n = n % 2 === 1 ? 3 * n + 1 : n / 2;
    text += `${line} ${steps}\n`;
  }
  return text;
}
