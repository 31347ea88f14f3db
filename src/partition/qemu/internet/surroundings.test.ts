import { expect, test } from "vitest";
import { isPublic, isSpecial } from "./address.ts";
import { networkName } from "./name.ts";
import { resolversOf, routesOf, surroundingsOf } from "./surroundings.ts";

const HEAD = "Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT";
const TABLE = [
  HEAD,
  "eth0	00000000	014DA8C0	0003	0	0	0	00000000	0	0	0",
  "eth0	004DA8C0	00000000	0001	0	0	0	00FFFFFF	0	0	0",
  "eth1	00040808	00000000	0001	0	0	0	00FFFFFF	0	0	0",
  "tun0	00000080	01000A0A	0003	0	0	0	00000080	0	0	0",
].join("\n");

test("an uplink is what a default route goes by, a VPN's halves of one included", () => {
  expect(routesOf(TABLE).map(({ range }) => range)).toEqual([
    ...["0.0.0.0/0", "192.168.77.0/24", "8.8.4.0/24", "128.0.0.0/1"],
  ]);
  expect(surroundingsOf(routesOf(TABLE), []).uplinks).toEqual(["eth0", "tun0"]);
});

test("all that is reached otherwise, and the host's own addresses, is the lender's", () => {
  const { lender } = surroundingsOf(routesOf(TABLE), ["8.8.4.1", "127.0.0.1", "5.6.7.8"]);
  expect(lender).toEqual(["5.6.7.8/32", "8.8.4.0/24", "8.8.4.1/32"]);
  const wide = surroundingsOf([{ link: "eth1", range: "10.0.0.0/7" }], []);
  expect(wide.lender).toEqual(["10.0.0.0/7"]);
});

test("only unicast addresses of the internet are public", () => {
  for (const address of ["9.9.9.9", "1.1.1.1", "100.63.255.255", "223.255.255.255"]) {
    expect(isPublic(address)).toBe(true);
  }
  const others = ["10.1.2.3", "100.64.0.1", "127.0.0.53", "169.254.169.254", "172.31.0.1"];
  const more = ["192.168.0.1", "198.19.0.1", "203.0.113.9", "224.0.0.1", "255.255.255.255"];
  for (const address of [...others, ...more, "", "9.9.9", "9.9.9.256", "::1", "a.b.c.d"]) {
    expect(isPublic(address)).toBe(false);
  }
  expect(isSpecial("10.4.0.0/16")).toBe(true);
  expect(isSpecial("10.0.0.0/7")).toBe(false);
});

test("guests ask the host's own resolvers where they may reach them, else public ones", () => {
  const around = { uplinks: ["eth0"], lender: ["8.8.4.0/24"] };
  const text = "# 1.2.3.4\nnameserver 8.8.8.8\nnameserver 192.168.0.1\nnameserver 8.8.4.4\n";
  expect(resolversOf(text, around)).toEqual(["8.8.8.8"]);
  expect(resolversOf("nameserver 127.0.0.53\n", around)).toEqual(["9.9.9.9", "1.1.1.1"]);
});

test("a guest's network has a name of its own, which the kernel takes", () => {
  const names = [
    networkName("lease_1", "a"),
    networkName("lease_1", "b"),
    networkName("lease_2", "a"),
  ];
  expect(new Set(names).size).toBe(3);
  for (const name of names) expect(name).toMatch(/^sublet[0-9a-f]{9}$/);
});
