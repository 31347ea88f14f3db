import { close } from "node:fs";
import { Writable } from "node:stream";
import type { Screen } from "../surroundings.ts";

/**
 * This process's output as a stream that closes: the output itself never does before the process
 * ends, and ssh waits for that to learn that the guest has gone. It is written through all the same:
 * a pipe that its reader is slow to empty takes no more for a while, which a file's writer would
 * take for a fault after a few attempts.
 */
export function ownOutput(stdout: Screen & { readonly fd?: number }): Writable {
  const { fd } = stdout;
  if (fd === undefined) return stdout;
  let written = Promise.resolve();
  const output = new Writable({
    highWaterMark: stdout.writableHighWaterMark,
    write: (chunk, _encoding, done) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      written = promise;
      stdout.write(chunk, (error) => {
        resolve();
        done(error);
      });
    },
    // What is still on its way would fail, and another file might have its number by then.
    destroy: (error, done) => {
      void written.then(() => close(fd, (failure) => done(error ?? failure)));
    },
  });
  stdout.once("error", (error) => output.destroy(error));
  return output;
}
