/**
 * IPv4 ranges that are no part of the public internet (IANA, IPv4 Special-Purpose Address Registry;
 * RFC 6890), with multicast. A guest with the internet reaches none of them.
 */
export const SPECIAL_RANGES = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4",
  "240.0.0.0/4",
] as const;

/** Whether an address is unicast and public; what is no IPv4 address is not. */
export function isPublic(address: string): boolean {
  return isAddress(address) && !SPECIAL_RANGES.some((range) => isWithin(address, range));
}

/** Whether a range lies in a special one whole. */
export function isSpecial(range: string): boolean {
  const [base = "", length] = range.split("/");
  return SPECIAL_RANGES.some(
    (special) => Number(length) >= Number(special.split("/")[1]) && isWithin(base, special),
  );
}

/** Whether `address` lies in `range`, like 10.0.0.0/8. */
export function isWithin(address: string, range: string): boolean {
  const [base = "", length = "32"] = range.split("/");
  const step = 2 ** (32 - Number(length));
  return Math.floor(numberOf(address) / step) === Math.floor(numberOf(base) / step);
}

/** The four bytes as one number, the first most significant. */
export function numberOf(address: string): number {
  return address.split(".").reduce((sum, byte) => sum * 256 + Number(byte), 0);
}

function isAddress(text: string): boolean {
  return (
    /^\d{1,3}(\.\d{1,3}){3}$/.test(text) && text.split(".").every((byte) => Number(byte) < 256)
  );
}
