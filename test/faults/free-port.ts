import { createServer } from "node:net";
import { freePort } from "../../src/partition/qemu/port.ts";

/** Run on a computer of its own, as to its network: asks for a port, and again for each it took. */
const taken: number[] = [];
try {
  for (;;) {
    const port = await freePort("127.0.0.1");
    await new Promise<void>((resolve) => createServer().listen(port, "127.0.0.1", resolve).unref());
    taken.push(port);
  }
} catch (error) {
  const { code, message } = error as Error & { code?: string };
  process.stdout.write(JSON.stringify({ taken, code, message }));
}
