import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Borrowed } from "./borrowed.ts";

export interface Reached {
  /** Paths that were asked of a server on this host's loopback; the host itself asks last. */
  readonly heard: readonly string[];
  /** What each attempt came to, as told inside the guest: an answer, or `refused`. */
  readonly told: readonly string[];
}

const ASK = "printf 'GET /from-the-guest HTTP/1.0\\r\\n\\r\\n'";
/** By which a guest of QEMU's user network finds its host, the name server, and itself. */
const ADDRESSES = ["10.0.2.2", "10.0.2.3", "127.0.0.1"];

/** Lets the guest ask an HTTP server of this process, and one on `port`, by every address. */
export async function reachFromGuest(held: Borrowed, port: string): Promise<Reached> {
  const heard: string[] = [];
  const ear = createServer((request, answer) => {
    heard.push(String(request.url));
    answer.end("heard");
  });
  await new Promise<void>((listening) => ear.listen(0, "127.0.0.1", listening));
  const { port: ownPort } = ear.address() as AddressInfo;
  const attempts = ADDRESSES.flatMap((address) =>
    [ownPort, port].map((to) => `${ASK} | nc -w 2 ${address} ${to} || echo refused;`),
  );
  try {
    const { stdout } = await held.run([`(${attempts.join(" ")}) 2>/dev/null`]);
    for (const to of [ownPort, port]) await fetch(`http://127.0.0.1:${to}/from-the-host`);
    return { heard, told: stdout.trim().split("\n") };
  } finally {
    ear.close();
  }
}
