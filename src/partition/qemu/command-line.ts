import { SHARED_MILLI_MIN } from "../allocation.ts";
import { DriverError, type GuestSpec, type KernelImage } from "../driver.ts";
import { MACHINE_FILES } from "./guest-folder.ts";
import { CARD_FD } from "./internet/attach.ts";
import { outboxArguments } from "./outbox.ts";
import { MEMORY_SLOTS } from "./resize/memory.ts";
import { rootDiskArguments } from "./root-disk.ts";

export interface Machine {
  readonly accelerator: "kvm" | "tcg";
  readonly architecture: "x86_64" | "aarch64";
  /** What the process is known by; see `processName`. */
  readonly name: string;
  readonly port: number;
}

/** QEMU's arguments for a guest. File names are relative: the process starts in `machine`. */
export function qemuArguments(spec: GuestSpec, machine: Machine): string[] {
  refuseUnsupported(spec, machine);
  const { address } = spec.access;
  return [
    // Threads named after their virtual cpu: the meter finds them by it.
    ...["-name", `${machine.name},debug-threads=on`],
    ...machineArguments(machine),
    ...sizeArguments(spec, machine),
    ...["-nodefaults", "-no-user-config", "-display", "none"],
    // A guest that powers off leaves its process, paused, for a last reading of its counters.
    ...["-no-reboot", "-no-shutdown"],
    ...bootArguments(spec, machine),
    // restrict=on: without it a guest reaches the host's own 127.0.0.1 as 10.0.2.2.
    ...["-netdev", `user,id=net,restrict=on,ipv6=off,hostfwd=tcp:${address}:${machine.port}-:22`],
    ...["-device", `virtio-net-pci,netdev=net,mac=${GUEST_MAC},romfile=`],
    ...diskArguments(spec),
    ...(spec.outboxBytes === undefined ? [] : outboxArguments()),
    ...["-drive", `${SEED_DRIVE},file.dir=${MACHINE_FILES.seed},file.label=cidata`],
    ...["-device", "virtio-blk-pci,drive=seed"],
    ...["-device", "virtio-rng-pci"],
    ...["-device", "pvpanic-pci"],
    // Last, so that a guest's other devices are where they are without it, and its first card too.
    ...(spec.internet ? INTERNET_CARD : []),
    // The console's text is the guest's to write without end. A ring in QEMU's memory bounds it,
    // needs no reader, survives the agent, and is read over QMP; a file would fill the disk.
    ...["-chardev", `ringbuf,id=${CONSOLE_ID},size=${CONSOLE_BYTES}`],
    ...["-serial", `chardev:${CONSOLE_ID}`],
    ...["-qmp", `unix:${MACHINE_FILES.qmpSocket},server=on,wait=off`],
    ...["-sandbox", SANDBOX],
  ];
}

/** Whole virtual cpus; what a shared guest may use of them is its group's matter. */
export function virtualCpus({ cpuMilli }: Pick<GuestSpec["size"], "cpuMilli">): number {
  return Math.ceil(cpuMilli / 1000);
}

/**
 * The name that a guest's process carries in its arguments. The tag tells apart agents which
 * share a computer: each has a folder of its own.
 */
export function processName(guestId: string, driverTag: string): string {
  return `sublet-${guestId}@${driverTag}`;
}

/** The guest that a process is, from its `-name` argument; null when it is none of this driver. */
export function guestIdOfArgument(argument: string, driverTag: string): string | null {
  const match = /^sublet-([A-Za-z0-9_-]+)@([0-9a-f]+),debug-threads=on$/.exec(argument);
  return match?.[2] === driverTag ? (match[1] ?? null) : null;
}

/** The host's port, from the arguments of a running guest. */
export function portOfArguments(args: readonly string[]): number | null {
  for (const argument of args) {
    const match = /,hostfwd=tcp:[^,]*:(\d+)-:22$/.exec(argument);
    if (match !== null) return Number(match[1]);
  }
  return null;
}

/** QEMU's own first one, said aloud: cloud-init is told which card to set up by it. */
export const GUEST_MAC = "52:54:00:12:34:56";

/** Of the second card, in guests with the internet. */
export const INTERNET_MAC = "52:54:00:12:34:57";
/** Not QEMU's own user-mode network: its router is the host's loopback. */
const INTERNET_CARD = [
  ...["-netdev", `tap,id=internet,fd=${CARD_FD},vhost=off`],
  ...["-device", `virtio-net-pci,netdev=internet,mac=${INTERNET_MAC},romfile=`],
];

export const CONSOLE_ID = "console";
/** A power of two, as the ring wants it: a whole boot with all of the kernel's messages. */
export const CONSOLE_BYTES = 256 * 1024;

/** Bounds the memory that translated code takes beyond the guest's own; the default is 1 GiB. */
const TRANSLATION_CACHE_MIB = 128;

const SEED_DRIVE = "if=none,id=seed,format=raw,readonly=on,file.driver=vvfat";
const SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny";

/** Room to grow is the machine's from its start; it costs the guest next to nothing. */
function sizeArguments({ size, maxSize }: GuestSpec, { architecture }: Machine): string[] {
  const cpus = virtualCpus(size);
  const cpusMax = Math.max(cpus, virtualCpus(maxSize));
  const memory = `${size.memoryBytes / 1024}K`;
  const isFixed = architecture !== "x86_64";
  const grows = !isFixed && maxSize.memoryBytes > size.memoryBytes;
  const room = `,slots=${MEMORY_SLOTS},maxmem=${Math.floor(maxSize.memoryBytes / MEMORY_STEP_BYTES) * (MEMORY_STEP_BYTES / 1024)}K`;
  return [
    ...["-smp", isFixed || cpusMax === cpus ? `${cpus}` : `${cpus},maxcpus=${cpusMax}`],
    ...["-m", grows ? `${memory}${room}` : memory],
  ];
}

function machineArguments({ accelerator, architecture }: Machine): string[] {
  // Devices that a partition has no use for are left out: each is code that a guest can reach.
  const kind =
    architecture === "x86_64"
      ? "q35,vmport=off,smbus=off,sata=off,i8042=off,dump-guest-core=off"
      : "virt,gic-version=max,dump-guest-core=off";
  const accel = accelerator === "kvm" ? "kvm" : `tcg,thread=multi,tb-size=${TRANSLATION_CACHE_MIB}`;
  return ["-machine", kind, "-accel", accel, "-cpu", accelerator === "kvm" ? "host" : "max"];
}

/** A disk image is started by the firmware (SeaBIOS) from the one disk that has a boot order. */
function bootArguments(spec: GuestSpec, machine: Machine): string[] {
  if (!("kernelPath" in spec.image)) return ["-boot", "strict=on"];
  const files = ["-kernel", MACHINE_FILES.kernel, "-initrd", MACHINE_FILES.initramfs];
  return [...files, "-append", kernelCommandLine(spec.image, machine)];
}

function diskArguments(spec: GuestSpec): string[] {
  if (spec.image.rootDisk !== undefined) return rootDiskArguments(spec.image.rootDisk);
  if (spec.size.diskBytes === 0) return [];
  // A full host is the guest's write error, not a guest that hangs; freed blocks are given back.
  const drive = "if=none,id=disk,format=raw,werror=report,rerror=report,discard=unmap";
  return [
    ...["-drive", `${drive},file=${MACHINE_FILES.disk}`],
    ...["-device", "virtio-blk-pci,drive=disk"],
  ];
}

function kernelCommandLine(image: KernelImage, { architecture }: Machine): string {
  const console = architecture === "x86_64" ? "ttyS0" : "ttyAMA0";
  // panic=-1: a kernel that died ends the guest at once, where the host is not told of it sooner.
  return `console=${console} quiet panic=-1 ${image.kernelArguments}`.trim();
}

function refuseUnsupported(
  { size, cpuMode, access, image }: GuestSpec,
  { architecture }: Machine,
): void {
  const refuse = (message: string): never => {
    throw new DriverError("unsupported", message);
  };
  if (cpuMode === "dedicated" && (size.cpuMilli < 1000 || size.cpuMilli % 1000 !== 0)) {
    refuse(`${size.cpuMilli} millicores: only whole cores can be dedicated; ask for shared cpu`);
  }
  if (size.cpuMilli < SHARED_MILLI_MIN) {
    refuse(`${size.cpuMilli} millicores: ask for ${SHARED_MILLI_MIN} or more`);
  }
  if (size.memoryBytes <= 0 || size.memoryBytes % MEMORY_STEP_BYTES !== 0) {
    refuse(`${size.memoryBytes} bytes of memory: ask for a multiple of 1 MiB`);
  }
  if (size.diskBytes < 0 || size.diskBytes % DISK_STEP_BYTES !== 0) {
    refuse(`${size.diskBytes} bytes of disk: ask for a multiple of 1 MiB`);
  }
  if (!("kernelPath" in image) && architecture !== "x86_64") {
    refuse(`a disk with a boot loader needs UEFI on ${architecture}; use an image with a kernel`);
  }
  if (!/^[0-9.]+$/.test(access.address)) {
    refuse(`the address ${access.address} is not one of IP version 4`);
  }
}

const MEMORY_STEP_BYTES = 1024 * 1024;
const DISK_STEP_BYTES = 1024 * 1024;
