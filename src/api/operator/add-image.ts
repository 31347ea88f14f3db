import { insertImage } from "../../image/store.ts";
import { refusal } from "../../refusal/refusal.ts";
import type { Handler } from "../handler.ts";
import { viewImage } from "../views.ts";

export const addImage: Handler<"addImage"> = async (context, { body: { manifest } }) => {
  const { db, blobs, clock } = context;
  const roles = manifest.parts.map((part) => part.role).toSorted();
  if (roles.join() !== "initramfs,kernel") {
    throw refusal("unsupported", {
      what: "an image of other parts than one kernel and one initramfs",
      instead: "give these two",
    });
  }
  for (const { digest, sizeBytes } of manifest.parts) {
    const storedBytes = await blobs.sizeBytes(digest);
    if (storedBytes === undefined) throw refusal("blob-missing", { digest });
    if (storedBytes !== sizeBytes) {
      const message = `part ${digest} has ${storedBytes} bytes and not ${sizeBytes}; correct the manifest`;
      throw refusal("invalid-input", { message });
    }
  }
  return viewImage(await insertImage(db.kysely, manifest, clock.now()));
};
