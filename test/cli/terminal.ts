import { PassThrough, Readable } from "node:stream";
import { readEnvironment } from "../../src/cli/environment.ts";
import { run } from "../../src/cli/run.ts";
import type { Surroundings } from "../../src/cli/surroundings.ts";
import { systemClock } from "../../src/unit/clock.ts";
import type { Ran } from "./run-cli.ts";

/**
 * Runs one command line as at a terminal of so many columns, with such variables. What is `typed`
 * comes in pieces; without it nobody sits there.
 */
export async function runAtTerminal(
  argv: readonly string[],
  columns: number | undefined,
  env: Readonly<Record<string, string>>,
  typed?: readonly string[],
): Promise<Ran> {
  const screen = () => {
    const stream = new PassThrough();
    return columns === undefined ? stream : Object.assign(stream, { isTTY: true, columns });
  };
  const [stdout, stderr] = [screen(), screen()];
  const surroundings: Surroundings = {
    environment: readEnvironment(env),
    clock: systemClock,
    sleep: async () => undefined,
    stdin: Object.assign(Readable.from(typed ?? []), typed === undefined ? {} : { isTTY: true }),
    stdout,
    stderr,
  };
  const exitCode = await run(argv, surroundings);
  const written = (stream: PassThrough) => String(stream.end().read() ?? "");
  return { exitCode, stdout: written(stdout), stderr: written(stderr) };
}
