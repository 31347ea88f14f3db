import { expect, test } from "vitest";
import { generateHostKey } from "../../agent/lease/host-key.ts";
import type { GuestSpec } from "../driver.ts";
import { publicLineOf } from "./host-key.ts";
import { seedFiles } from "./seed.ts";

const hostKey = generateHostKey();
const spec = (seed: "nocloud" | "sublet" | undefined, user = "debian"): GuestSpec => ({
  guestId: "lease_1",
  hostname: "one",
  size: { cpuMilli: 1000, memoryBytes: 1, diskBytes: 1 },
  maxSize: { cpuMilli: 1000, memoryBytes: 1, diskBytes: 1 },
  cpuMode: "dedicated",
  cores: [],
  uid: 64_000,
  image: { rootDisk: { path: "/d", format: "raw" }, ...(seed === undefined ? {} : { seed }) },
  access: {
    address: "127.0.0.1",
    port: 0,
    user,
    authorizedKey: "ssh-ed25519 AAAA client",
    hostKeyPrivate: hostKey.privateText,
  },
});
const textOf = (given: GuestSpec, path: string) =>
  seedFiles(given).find((file) => file.path === path)?.text ?? "";
const userData = (user?: string) => {
  const text = textOf(spec("nocloud", user), "user-data");
  expect(text.split("\n")[0]).toBe("#cloud-config");
  return JSON.parse(text.slice(text.indexOf("\n")));
};

test("cloud-init is told the lease, the name, the key and the host key", () => {
  const metaData = JSON.parse(textOf(spec("nocloud"), "meta-data"));
  expect(metaData).toEqual({ "instance-id": "lease_1", "local-hostname": "one" });
  expect(userData()).toMatchObject({
    user: { name: "debian", lock_passwd: true },
    ssh_authorized_keys: ["ssh-ed25519 AAAA client"],
    ssh_deletekeys: true,
    ssh_keys: { ed25519_private: hostKey.privateText, ed25519_public: hostKey.publicLine },
  });
});

test("no password lets in, and root only where root is the client's user", () => {
  expect(userData()).toMatchObject({ ssh_pwauth: false, disable_root: true });
  expect(userData("root")).toMatchObject({ disable_root: false });
});

test("cloud-init is told to bring added cpu and memory on line", () => {
  const text = textOf(spec("nocloud"), "vendor-data");
  expect(text).toMatch(/^#cloud-config\n/);
  expect(text).toMatch(/SUBSYSTEM==.*cpu.*ATTR\{online\}=.*1/);
  expect(text).toMatch(/SUBSYSTEM==.*memory.*online_movable/);
});

test("a system of our own gets its own files, and cloud-init's are not among them", () => {
  for (const seed of [undefined, "sublet"] as const) {
    const paths = seedFiles(spec(seed)).map(({ path }) => path);
    expect(paths).toEqual(["sublet/authorized_keys", "sublet/host_key", "sublet/hostname"]);
  }
});

test("the public half of a host key is read from the private one", () => {
  expect(publicLineOf(hostKey.privateText)).toBe(hostKey.publicLine);
  expect(() => publicLineOf("-----BEGIN RSA PRIVATE KEY-----\nAAAA\n")).toThrow(/OpenSSH/);
});

test("a guest with the internet is told its card, its router and its resolvers; others nothing", () => {
  const resolvers = ["9.9.9.9", "1.1.1.1"];
  const given = (seed: "nocloud" | "sublet") =>
    seedFiles({ ...spec(seed), internet: true }, resolvers);
  const text = (seed: "nocloud" | "sublet", path: string) =>
    given(seed).find((file) => file.path === path)?.text ?? "";
  expect(text("sublet", "sublet/internet")).toBe("10.0.3.15/24 10.0.3.2 9.9.9.9 1.1.1.1\n");
  expect(JSON.parse(text("nocloud", "network-config")).ethernets.internet).toMatchObject({
    match: { macaddress: "52:54:00:12:34:57" },
    addresses: ["10.0.3.15/24"],
    routes: [{ to: "0.0.0.0/0", via: "10.0.3.2" }],
    nameservers: { addresses: resolvers },
  });
  expect(text("nocloud", "vendor-data")).toContain("nameserver 9.9.9.9");
  for (const seed of ["nocloud", "sublet"] as const) {
    const files = seedFiles(spec(seed), resolvers).map((file) => file.text);
    expect(files.join()).not.toMatch(/9\.9\.9\.9|10\.0\.3/);
  }
});
