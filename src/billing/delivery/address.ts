import { BlockList, isIP } from "node:net";

/** A receiver's name in the public network has at most so many characters. */
const ADDRESS_CHARACTERS_MAX = 2000;

/** What of IPv4 is nobody's public address (RFC 6890 and its registry). */
const RESERVED = blockList([
  ...["0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"],
  ...["172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16"],
  ...["198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"],
]);
/** Of IPv6 this alone is given out, and of it not what leads into IPv4 or is for documents. */
const GLOBAL = blockList(["2000::/3"]);
const NOT_GLOBAL = blockList(["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"]);

function blockList(subnets: readonly string[]): BlockList {
  const list = new BlockList();
  for (const subnet of subnets) {
    const [network = "", bits] = subnet.split("/");
    list.addSubnet(network, Number(bits), isIP(network) === 6 ? "ipv6" : "ipv4");
  }
  return list;
}

/** Loopback, private, link-local and every other address that is not in the public network. */
export function isPrivateAddress(address: string): boolean {
  if (isIP(address) === 4) return RESERVED.check(address, "ipv4");
  const isGlobal = isIP(address) === 6 && GLOBAL.check(address, "ipv6");
  return !isGlobal || NOT_GLOBAL.check(address, "ipv6");
}

export type AddressCheck =
  | { readonly ok: true; readonly address: string }
  | { readonly ok: false; readonly reason: string };

/**
 * What can be said of a webhook's address without asking for its name; what the name leads to is
 * looked at at every connection. `allowPrivate`: the operator's word for closed networks.
 */
export function checkWebhookUrl(text: string, allowPrivate: boolean): AddressCheck {
  const url = text.length <= ADDRESS_CHARACTERS_MAX ? URL.parse(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) {
    return { ok: false, reason: "it is not the address of a web server" };
  }
  if (url.username || url.password) return { ok: false, reason: "it holds a password" };
  if (url.hash) return { ok: false, reason: "it ends with a fragment, which is never sent" };
  if (allowPrivate) return { ok: true, address: url.href };
  if (url.protocol !== "https:") return { ok: false, reason: "it is not https" };
  const host = hostOf(url);
  if (/(^|\.)localhost\.?$/.test(host) || (isIP(host) !== 0 && isPrivateAddress(host))) {
    return { ok: false, reason: "it is within a private network" };
  }
  return { ok: true, address: url.href };
}

/** Without the brackets that a URL puts around IPv6. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, "$1");
}

/** One plain address, no name before it and no list: nothing that a header could be broken with. */
export function checkMailAddress(text: string): AddressCheck {
  const label = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?";
  const atom = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+";
  const right = new RegExp(
    `^(?=.{3,254}$)(?=[^@]{1,64}@)${atom}(?:\\.${atom})*@${label}(?:\\.${label})*$`,
  );
  return right.test(text)
    ? { ok: true, address: text }
    : { ok: false, reason: "it is not one plain address like bills@example.org" };
}
