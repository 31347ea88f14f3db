import { SPECIAL_RANGES } from "./address.ts";
import { GUEST_LINK, LINK_PREFIX, UP_LINK } from "./name.ts";
import type { Surroundings } from "./surroundings.ts";

/** The guest's own second card, and the router at its other end; the same in every namespace. */
export const GUEST_ADDRESS = "10.0.3.15";
export const ROUTER_ADDRESS = "10.0.3.2";

/**
 * The filter in the guest's namespace: nothing on the host can flush it by mistake. Replaced as a
 * whole, in one transaction of the kernel, so that there is no instant without it.
 */
export function rulesInside(surroundings: Surroundings): string {
  return replaced("sublet", [
    ...refusedSet(surroundings),
    "chain input { type filter hook input priority 0; policy drop; }",
    "chain output { type filter hook output priority 0; policy drop;",
    `  oifname "${GUEST_LINK}" icmp type { destination-unreachable, time-exceeded } accept; }`,
    "chain forward { type filter hook forward priority 0; policy drop;",
    `  iifname "${UP_LINK}" oifname "${GUEST_LINK}" ct state established,related accept;`,
    `  iifname != "${GUEST_LINK}" drop; oifname != "${UP_LINK}" drop;`,
    `  ip saddr != ${GUEST_ADDRESS} drop; ip daddr @refused drop;`,
    "  meta nfproto ipv4 ct state new,established,related accept; }",
    "chain leave { type nat hook postrouting priority 100; policy accept;",
    `  oifname "${UP_LINK}" masquerade; }`,
  ]);
}

/**
 * The host's part, a table of its own for each guest; `$peer` is the address of the namespace. What
 * comes from the guest is never the host's to answer, leaves by an uplink or not at all, and is
 * filtered once more.
 */
export function rulesOutside(name: string, surroundings: Surroundings): string {
  const uplinks = surroundings.uplinks.map((link) => JSON.stringify(link)).join(", ");
  return replaced(name, [
    ...refusedSet(surroundings),
    "chain input { type filter hook input priority -10; policy accept;",
    `  iifname "${name}" drop; }`,
    "chain output { type filter hook output priority -10; policy accept;",
    // The host has nothing to say to it but why something could not be sent on.
    `  oifname "${name}" meta l4proto != icmp drop; }`,
    "chain forward { type filter hook forward priority -10; policy accept;",
    `  oifname "${name}" ct state established,related accept; oifname "${name}" drop;`,
    `  iifname != "${name}" accept; meta nfproto != ipv4 drop; ip saddr != $peer drop;`,
    `  oifname != { ${uplinks} } drop; ip daddr @refused drop; fib daddr type != unicast drop; }`,
    "chain leave { type nat hook postrouting priority 100; policy accept;",
    `  ip saddr $peer oifname { ${uplinks} } masquerade; }`,
  ]);
}

/**
 * For a host that forwarded nothing before: its uplinks now do, for the answers to guests, and
 * nothing else is to be forwarded because of it.
 */
export const RULES_FORWARDING = `table inet ${LINK_PREFIX}_forwarding {
  set uplinks { type ifname; }
  chain forward { type filter hook forward priority -10; policy accept; }
}
flush chain inet ${LINK_PREFIX}_forwarding forward
add rule inet ${LINK_PREFIX}_forwarding forward iifname @uplinks oifname != "${LINK_PREFIX}*" drop
`;

function refusedSet({ lender }: Surroundings): string[] {
  const ranges = [...SPECIAL_RANGES, ...lender].join(", ");
  const type = "type ipv4_addr; flags interval; auto-merge;";
  return [`set refused { ${type} elements = { ${ranges} } }`];
}

function replaced(name: string, body: readonly string[]): string {
  const table = `table inet ${name}`;
  return [table, `delete ${table}`, `${table} {`, ...body, "}", ""].join("\n");
}
