import { join } from "node:path";
import { formatBytes } from "../unit/quantity.ts";
import { connect } from "./connect.ts";
import { checkParts, readImageFolder } from "./image/folder.ts";
import { uploadBlob } from "./image/upload.ts";
import { progress } from "./output/progress.ts";
import { table } from "./output/table.ts";
import { instant } from "./output/words.ts";
import { type VerbGroup, verb } from "./verb.ts";

const add = verb<{ folder: string }>({
  usage: "add <folder>",
  summary: "Put an operating system on the file server (operator).",
  examples: ["sublet image add ./small-linux"],
  more: "The folder holds image.json and the parts that it names, as tools/small-linux makes them.",
  run: async (context, { folder }) => {
    const { manifest, files } = await readImageFolder(folder);
    const shown = progress(context);
    await checkParts(folder, manifest, files, shown);
    const { client } = await connect(context);
    for (const [index, part] of manifest.parts.entries()) {
      await uploadBlob({ client, path: join(folder, files[index] ?? ""), ...part }, shown);
    }
    const image = await client.call("addImage", { body: { manifest } });
    const text = `${manifest.name} ${manifest.version} for ${manifest.architecture} is on the file server (${image.imageId})`;
    return { json: image, text };
  },
});

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
