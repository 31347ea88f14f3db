import { PassThrough, Readable } from "node:stream";
import { type Environment, readEnvironment } from "../../src/cli/environment.ts";
import { run } from "../../src/cli/run.ts";
import { systemClock } from "../../src/unit/clock.ts";

export interface Ran {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one command line in this process, without a terminal. */
export async function runCli(
  argv: readonly string[],
  configFolder: string,
  environment: Partial<Environment> = {},
  stdin = "",
  sleep: (ms: number) => Promise<void> = async () => undefined,
): Promise<Ran> {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const exitCode = await run(argv, {
    environment: { ...readEnvironment({ SUBLET_CONFIG: configFolder }), ...environment },
    clock: systemClock,
    sleep,
    stdin: Readable.from(stdin === "" ? [] : [stdin]),
    stdout,
    stderr,
  });
  return { exitCode, stdout: written(stdout), stderr: written(stderr) };
}

function written(stream: PassThrough): string {
  stream.end();
  return String(stream.read() ?? "");
}
