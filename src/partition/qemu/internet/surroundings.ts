import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { isPublic, isSpecial, isWithin } from "./address.ts";

/** What of the host's own network a guest must be kept from, and what it may leave by. */
export interface Surroundings {
  /** Interfaces of the default routes. */
  readonly uplinks: readonly string[];
  /**
   * What the host reaches by any other route than its default one, and its own addresses: the
   * lender's network, also where its addresses are public. Ascending, as text.
   */
  readonly lender: readonly string[];
}

/** As they are at present in the network namespace of this process. */
export function readSurroundings(): Surroundings {
  const routes = routesOf(readFileSync("/proc/self/net/route", "utf8"));
  const own = Object.values(networkInterfaces()).flatMap((addresses) =>
    (addresses ?? []).filter(({ family }) => family === "IPv4").map(({ address }) => address),
  );
  return surroundingsOf(routes, own);
}

export interface Route {
  readonly link: string;
  readonly range: string;
}

/** The kernel's table: addresses in hexadecimal, in the order of bytes of the processor (little). */
export function routesOf(table: string): Route[] {
  const lines = table.trim().split("\n").slice(1);
  return lines.map((line) => {
    const [link = "", destination = "", , , , , , mask = ""] = line.split(/\s+/);
    const ones = Number.parseInt(mask, 16).toString(2).replaceAll("0", "").length;
    const bytes = [6, 4, 2, 0].map((at) => Number.parseInt(destination.slice(at, at + 2), 16));
    return { link, range: `${bytes.join(".")}/${ones}` };
  });
}

export function surroundingsOf(routes: readonly Route[], own: readonly string[]): Surroundings {
  // Half of all addresses is a default route too: VPNs lay two of them over the first.
  const isDefault = ({ range }: Route) => Number(range.split("/")[1]) <= 1;
  const uplinks = new Set(routes.filter(isDefault).map(({ link }) => link));
  const lender = new Set([
    ...routes.filter((route) => !isDefault(route)).map(({ range }) => range),
    ...own.map((address) => `${address}/32`),
  ]);
  // What the special ranges hold already needs no mention.
  const mentioned = [...lender].filter((range) => !isSpecial(range));
  return { uplinks: [...uplinks].sort(), lender: mentioned.sort() };
}

/** What guests may ask for names: the host's own resolvers where a guest can reach them. */
export function resolversOf(resolvConf: string, { lender }: Surroundings): readonly string[] {
  const named = [...resolvConf.matchAll(/^nameserver\s+(\S+)/gm)].map((match) => match[1] ?? "");
  const reachable = named.filter(
    (address) => isPublic(address) && !lender.some((range) => isWithin(address, range)),
  );
  return reachable.length > 0 ? reachable.slice(0, RESOLVERS_MAX) : RESOLVERS_PUBLIC;
}

/** Quad9 and Cloudflare: two that do not fail together. */
export const RESOLVERS_PUBLIC = ["9.9.9.9", "1.1.1.1"] as const;
/** The C library asks no more. */
export const RESOLVERS_MAX = 3;
