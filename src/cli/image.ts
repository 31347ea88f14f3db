import { join } from "node:path";
import { Option } from "commander";
import { formatBytes, InputError } from "../unit/quantity.ts";
import { connect } from "./connect.ts";
import { checkParts, readImageFolder } from "./image/folder.ts";
import { type GivenImage, readGivenImage } from "./image/given.ts";
import { uploadBlob } from "./image/upload.ts";
import { bytes } from "./option/quantity.ts";
import { type Progress, progress } from "./output/progress.ts";
import { table } from "./output/table.ts";
import { instant } from "./output/words.ts";
import { type VerbGroup, verb } from "./verb.ts";

const add = verb<GivenImage & { folder?: string }>({
  usage: "add [folder]",
  summary: "Put an operating system on the file server (operator).",
  examples: [
    "sublet image add ./small-linux",
    "sublet image add --disk debian-12-generic-amd64.qcow2 --name debian-12 --version 20260101 \\\n    --arch x86_64 --min-memory 512MiB --user debian",
    "sublet image add --kernel vmlinuz --initramfs initrd.img --root-disk root.qcow2 \\\n    --name debian-12 --version 20260101 --arch x86_64 --min-memory 512MiB --user debian",
  ],
  more: [
    "The folder holds image.json and the parts that it names, as tools/small-linux makes them.",
    "A disk is qcow2 or raw and whole. Its boot loader is run by a BIOS, and cloud-init takes the",
    "keys (NoCloud), as in the cloud images that vendors publish.",
  ].join("\n"),
  options: [
    new Option("--disk <file>", "a disk with a boot loader"),
    new Option("--kernel <file>", "a kernel that the host loads"),
    new Option("--initramfs <file>", "with --kernel"),
    new Option("--root-disk <file>", "a disk for --kernel; without it the system is the initramfs"),
    new Option("--kernel-arguments <text>", "with --kernel; root=/dev/vda ro when there is a disk"),
    new Option("--name <name>", "what clients ask for, like debian-12"),
    new Option("--version <version>", "like 20260101"),
    new Option("--arch <machine>", "x86_64 or aarch64").choices(["x86_64", "aarch64"]),
    bytes("--min-memory <size>", "least memory that it boots with, like 512MiB"),
    new Option("--user <name>", "who the client logs in as, like debian"),
    new Option("--seed <kind>", "what takes the keys in it: nocloud (default) or sublet").choices([
      "nocloud",
      "sublet",
    ]),
  ],
  run: async (context, { folder, ...given }) => {
    const shown = progress(context);
    const { manifest, paths } =
      folder === undefined
        ? await readGivenImage(given, shown)
        : await readFolder(folder, given, shown);
    const { client } = await connect(context);
    for (const [index, part] of manifest.parts.entries()) {
      await uploadBlob({ client, path: paths[index] ?? "", ...part }, shown);
    }
    const image = await client.call("addImage", { body: { manifest } });
    const text = `${manifest.name} ${manifest.version} for ${manifest.architecture} is on the file server (${image.imageId})`;
    return { json: image, text };
  },
});

async function readFolder(folder: string, given: GivenImage, shown: Progress) {
  if (Object.keys(given).some((name) => FILE_OPTIONS.has(name))) {
    throw new InputError("give a folder with image.json or the files themselves, and not both");
  }
  const { manifest, files } = await readImageFolder(folder);
  await checkParts(folder, manifest, files, shown);
  return { manifest, paths: files.map((file) => join(folder, file)) };
}

const FILE_OPTIONS: ReadonlySet<string> = new Set(["disk", "kernel", "initramfs", "rootDisk"]);

const list = verb({
  usage: "list",
  summary: "List the operating systems on the file server.",
  examples: ["sublet image list"],
  run: async (context) => {
    const { client } = await connect(context);
    const found = await client.call("listImages");
    const rows = found.images.map(({ manifest, createdAt, imageId }) => [
      manifest.name,
      manifest.version,
      manifest.architecture,
      formatBytes(manifest.memoryBytesMin),
      instant(createdAt),
      imageId,
    ]);
    const headings = ["OS", "VERSION", "MACHINE", "MEMORY FROM", "ADDED", "ID"];
    return { json: found, text: table(context, headings, rows) };
  },
});

export const imageVerbs: VerbGroup = {
  name: "image",
  summary: "Operating systems on the file server",
  verbs: [add, list],
};
