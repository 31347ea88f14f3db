import { existsSync, readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Entry } from "./cpio.ts";
import { interpreter, neededLibraries } from "./elf.ts";
import type { KernelModule } from "./modules.ts";
import { run } from "./run.ts";

/**
 * The guest's root: our few scripts, busybox, the SSH server and exactly the libraries it asks
 * for. Nobody's key is in it; keys come on the seed volume.
 */
export async function rootEntries(
  unpackedFolder: string,
  modules: readonly KernelModule[],
  osRelease: string,
): Promise<Entry[]> {
  const programs = await programEntries(unpackedFolder);
  return [
    ...folders(),
    { path: "dev/console", kind: "character-device", mode: 0o600, device: [5, 1] },
    { path: "dev/null", kind: "character-device", mode: 0o666, device: [1, 3] },
    ...(await systemFiles()),
    file("etc/os-release", osRelease),
    file("lib/modules/order", modules.map((module) => `${module.file}\n`).join("")),
    ...modules.map((module) => file(`lib/modules/${module.file}`, module.data)),
    ...programs,
    ...(await libraryEntries(unpackedFolder, programs)),
  ];
}

function folders(): Entry[] {
  const plain = "bin dev etc etc/acpi etc/acpi/PWRF etc/dropbear etc/init.d data lib lib64 "
    .concat("lib/modules mnt proc run run/seed sbin sys usr usr/bin usr/lib usr/lib/openssh ")
    .concat("usr/sbin var var/log")
    .split(" ");
  return [
    ...plain.map((path): Entry => ({ path, kind: "folder", mode: 0o755 })),
    { path: "root", kind: "folder", mode: 0o700 },
    { path: "root/.ssh", kind: "folder", mode: 0o700 },
    { path: "tmp", kind: "folder", mode: 0o1777 },
    link("var/run", "/run"),
    link("var/tmp", "/tmp"),
  ];
}

async function systemFiles(): Promise<Entry[]> {
  const ours = (name: string) => readFile(join(import.meta.dirname, "guest", name));
  const script = async (path: string, name: string) => file(path, await ours(name), 0o755);
  return [
    file("etc/inittab", await ours("inittab")),
    file("etc/passwd", await ours("passwd")),
    file("etc/group", await ours("group")),
    file("etc/profile", await ours("profile")),
    file("etc/shells", "/bin/sh\n"),
    file("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
    await script("etc/init.d/boot", "boot"),
    await script("etc/init.d/ssh", "ssh"),
    await script("etc/init.d/halt", "halt"),
    await script("etc/init.d/hotplug", "hotplug"),
    await script("etc/acpi/PWRF/00000080", "power-button"),
  ];
}

async function programEntries(unpacked: string): Promise<Entry[]> {
  const path = busyboxPath(unpacked);
  const busybox = await readFile(path);
  const applets = (await run(path, ["--list-full"])).toString().trim();
  const entries: Entry[] = [file("bin/busybox", busybox, 0o755), link("init", "/bin/busybox")];
  for (const applet of applets.split("\n")) {
    if (applet !== "bin/busybox" && applet.includes("/"))
      entries.push(link(applet, "/bin/busybox"));
  }
  const programs = ["usr/sbin/dropbear", "usr/bin/dropbearkey", "usr/lib/openssh/sftp-server"];
  for (const path of programs) {
    entries.push(file(path, await readFile(join(unpacked, path)), 0o755));
  }
  const convert = await readFile(join(unpacked, "usr/bin/dropbearconvert"));
  entries.push(file("usr/bin/dropbearconvert", convert, 0o755));
  // Where dropbear looks for it.
  entries.push(link("usr/lib/sftp-server", "/usr/lib/openssh/sftp-server"));
  return entries;
}

/** Debian 13 moved it. */
function busyboxPath(unpacked: string): string {
  const old = join(unpacked, "bin/busybox");
  return existsSync(old) ? old : join(unpacked, "usr/bin/busybox");
}

/** Follows what each program asks for until nothing new is asked. */
async function libraryEntries(unpacked: string, programs: readonly Entry[]): Promise<Entry[]> {
  const found = libraryPaths(unpacked);
  const added = new Map<string, Entry>();
  const pending = programs.flatMap((entry) => (entry.kind === "file" ? [entry.data] : []));
  for (const program of pending) {
    const loader = interpreter(program);
    const names = neededLibraries(program);
    if (loader !== null) names.push(basename(loader));
    for (const name of names) {
      // Loaders are asked for by their full path, libraries are found in /lib.
      const path = name === basename(loader ?? "") ? (loader ?? "").slice(1) : `lib/${name}`;
      if (added.has(path)) continue;
      const from = found.get(name);
      if (from === undefined) throw new Error(`no downloaded package holds the library ${name}`);
      const data = await readFile(from);
      added.set(path, file(path, data, 0o755));
      pending.push(data);
    }
  }
  return [...added.values()];
}

function libraryPaths(unpacked: string): Map<string, string> {
  const paths = new Map<string, string>();
  for (const entry of readdirSync(unpacked, { recursive: true, encoding: "utf8" })) {
    if (/^(usr\/)?lib/.test(entry) && /\.so(\.|$)/.test(entry)) {
      paths.set(basename(entry), join(unpacked, entry));
    }
  }
  return paths;
}

function file(path: string, data: Buffer | string, mode = 0o644): Entry {
  return { path, kind: "file", mode, data: Buffer.from(data) };
}

function link(path: string, target: string): Entry {
  return { path, kind: "link", target };
}
