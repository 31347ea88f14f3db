/** What a shell gives the program of a line that begins with `sublet`: no pipes, no redirections. */
export function argumentsOf(line: string): string[] {
  const own = line.replace(/\\\n\s*/g, "");
  const words = [...own.matchAll(/'([^']*)'|"([^"]*)"|([^\s'"]+)/g)].map(
    ([, single, double, bare]) => single ?? double ?? bare ?? "",
  );
  const quoted = new Set([...own.matchAll(/'([^']*)'|"([^"]*)"/g)].map((m) => m[1] ?? m[2]));
  const end = words.findIndex((word) => /^(\||<|>|>>|&&|;)$/.test(word) && !quoted.has(word));
  const [program, ...given] = end < 0 ? words : words.slice(0, end);
  if (program !== "sublet") throw new Error(`no line for sublet: ${line}`);
  return given;
}
