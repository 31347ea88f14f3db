import type { GuestSpec } from "../driver.ts";
import { VENDOR_DATA } from "./vendor-data.ts";

/** A file of the seed volume. */
export interface SeedFile {
  readonly path: string;
  readonly text: string;
}

/**
 * What a guest learns at its first boot, as a volume with the label `cidata`: the NoCloud files of
 * cloud-init for systems that have it, and the folder `sublet` with the same for those that do not.
 */
export function seedFiles({ guestId, hostname, access }: GuestSpec): SeedFile[] {
  const hostKey = ended(access.hostKeyPrivate);
  const metaData = { "instance-id": guestId, "local-hostname": hostname };
  const userData = {
    hostname,
    disable_root: false,
    ssh_pwauth: false,
    ssh_deletekeys: true,
    ssh_keys: { ed25519_private: hostKey },
    users: [{ name: access.user, lock_passwd: true, ssh_authorized_keys: [access.authorizedKey] }],
  };
  return [
    { path: "meta-data", text: ended(JSON.stringify(metaData)) },
    // JSON is YAML; cloud-init only insists on the first line.
    { path: "user-data", text: `#cloud-config\n${ended(JSON.stringify(userData))}` },
    { path: "vendor-data", text: `#cloud-config\n${ended(JSON.stringify(VENDOR_DATA))}` },
    { path: "sublet/authorized_keys", text: ended(access.authorizedKey) },
    { path: "sublet/host_key", text: hostKey },
    { path: "sublet/hostname", text: ended(hostname) },
  ];
}

function ended(text: string): string {
  return text.endsWith("\n") ? text : `${text}\n`;
}
