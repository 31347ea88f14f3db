import type { GuestSpec } from "../driver.ts";
import { GUEST_MAC } from "./command-line.ts";
import { publicLineOf } from "./host-key.ts";

/** A file of the seed volume. */
export interface SeedFile {
  readonly path: string;
  readonly text: string;
}

/**
 * What a guest learns at its first boot, as a volume with the label `cidata`: the NoCloud files of
 * cloud-init, or the folder `sublet` with the same for the systems of our own.
 */
export function seedFiles(spec: GuestSpec): SeedFile[] {
  return spec.image.seed === "nocloud" ? nocloudFiles(spec) : subletFiles(spec);
}

function subletFiles({ hostname, access }: GuestSpec): SeedFile[] {
  return [
    { path: "sublet/authorized_keys", text: ended(access.authorizedKey) },
    { path: "sublet/host_key", text: ended(access.hostKeyPrivate) },
    { path: "sublet/hostname", text: ended(hostname) },
  ];
}

/** https://cloudinit.readthedocs.io/en/latest/reference/datasources/nocloud.html */
function nocloudFiles({ guestId, hostname, access }: GuestSpec): SeedFile[] {
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
  const vendorData = { write_files: [{ path: HOTPLUG_PATH, content: HOTPLUG_RULES }] };
  const networkConfig = {
    version: 2,
    ethernets: { partition: { match: { macaddress: GUEST_MAC }, dhcp4: true, dhcp6: false } },
  };
  // JSON is YAML; cloud-init only insists on the first line.
  return [
    { path: "meta-data", text: ended(JSON.stringify(metaData)) },
    { path: "user-data", text: `#cloud-config\n${ended(JSON.stringify(userData))}` },
    { path: "vendor-data", text: `#cloud-config\n${ended(JSON.stringify(vendorData))}` },
    { path: "network-config", text: ended(JSON.stringify(networkConfig)) },
  ];
}

const HOTPLUG_PATH = "/etc/udev/rules.d/80-sublet-hotplug.rules";
/** A cpu or memory that was added is not used until it is brought on line; memory as movable, or
 * it could never be taken out again. udevd reads new rules by itself. */
const HOTPLUG_RULES = [
  'SUBSYSTEM=="cpu", ACTION=="add", TEST=="online", ATTR{online}=="0", ATTR{online}="1"',
  'SUBSYSTEM=="memory", ACTION=="add", TEST=="state", ATTR{state}=="offline", ATTR{state}="online_movable"',
  "",
].join("\n");

function ended(text: string): string {
  return text.endsWith("\n") ? text : `${text}\n`;
}
