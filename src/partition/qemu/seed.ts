import type { GuestSpec } from "../driver.ts";
import { GUEST_MAC, INTERNET_MAC } from "./command-line.ts";
import { publicLineOf } from "./host-key.ts";
import { GUEST_ADDRESS, ROUTER_ADDRESS } from "./internet/rules.ts";
import { vendorData } from "./vendor-data.ts";

/** A file of the seed volume. */
export interface SeedFile {
  readonly path: string;
  readonly text: string;
}

/**
 * What a guest learns at its first boot, as a volume with the label `cidata`: the NoCloud files of
 * cloud-init, or the folder `sublet` with the same for the systems of our own.
 */
export function seedFiles(spec: GuestSpec, resolvers: readonly string[] = []): SeedFile[] {
  const asked = spec.internet ? resolvers : null;
  return spec.image.seed === "nocloud" ? nocloudFiles(spec, asked) : subletFiles(spec, asked);
}

/** `resolvers` is null for a guest without the internet. */
function subletFiles(
  { hostname, access }: GuestSpec,
  resolvers: readonly string[] | null,
): SeedFile[] {
  const internet = [`${GUEST_ADDRESS}/24`, ROUTER_ADDRESS, ...(resolvers ?? [])].join(" ");
  return [
    ...(resolvers === null ? [] : [{ path: "sublet/internet", text: ended(internet) }]),
    { path: "sublet/authorized_keys", text: ended(access.authorizedKey) },
    { path: "sublet/host_key", text: ended(access.hostKeyPrivate) },
    { path: "sublet/hostname", text: ended(hostname) },
  ];
}

/** https://cloudinit.readthedocs.io/en/latest/reference/datasources/nocloud.html */
function nocloudFiles(
  { guestId, hostname, access }: GuestSpec,
  resolvers: readonly string[] | null,
): SeedFile[] {
  const { user, authorizedKey, hostKeyPrivate } = access;
  const metaData = { "instance-id": guestId, "local-hostname": hostname };
  const userData = {
    hostname,
    // Without it sudo looks the name up, in a network that answers nothing.
    manage_etc_hosts: "localhost",
    // The image's own ordinary user under this name, with its shell and its right to sudo.
    user: { name: user, lock_passwd: true },
    ssh_authorized_keys: [authorizedKey],
    disable_root: user !== "root",
    ssh_pwauth: false,
    ssh_deletekeys: true,
    ssh_keys: {
      ed25519_private: ended(hostKeyPrivate),
      ed25519_public: publicLineOf(hostKeyPrivate),
    },
  };
  const networkConfig = {
    version: 2,
    ethernets: {
      partition: { match: { macaddress: GUEST_MAC }, dhcp4: true, dhcp6: false },
      ...(resolvers === null ? {} : { internet: internetCard(resolvers) }),
    },
  };
  // JSON is YAML; cloud-init only insists on the first line.
  return [
    { path: "meta-data", text: ended(JSON.stringify(metaData)) },
    { path: "user-data", text: `#cloud-config\n${ended(JSON.stringify(userData))}` },
    { path: "vendor-data", text: `#cloud-config\n${ended(JSON.stringify(vendorData(resolvers)))}` },
    { path: "network-config", text: ended(JSON.stringify(networkConfig)) },
  ];
}

/** Set by hand and not by DHCP: the router at its other end answers nothing. */
function internetCard(resolvers: readonly string[]) {
  return {
    match: { macaddress: INTERNET_MAC },
    ...{ dhcp4: false, dhcp6: false },
    addresses: [`${GUEST_ADDRESS}/24`],
    routes: [{ to: "0.0.0.0/0", via: ROUTER_ADDRESS }],
    nameservers: { addresses: resolvers },
  };
}

function ended(text: string): string {
  return text.endsWith("\n") ? text : `${text}\n`;
}
