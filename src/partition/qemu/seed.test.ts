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
