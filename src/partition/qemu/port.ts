import { createServer } from "node:net";
import { DriverError } from "../driver.ts";
import { hasCode } from "./errno.ts";

/**
 * A port of the host that is free now. Another process may take it before QEMU does. Throws
 * `port-taken` where there is none.
 */
export async function freePort(address: string): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: address, port: 0, exclusive: true }, resolve);
  }).catch((error: unknown) => {
    if (!hasCode(error, "EADDRINUSE")) throw error;
    const message = `every port of ${address} is taken; the lender must end what holds them, or widen net.ipv4.ip_local_port_range`;
    throw new DriverError("port-taken", message, { cause: error });
  });
  const bound = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (bound === null || typeof bound === "string") throw new Error("no port was bound");
  return bound.port;
}
