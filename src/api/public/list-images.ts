import { listImages as readImages } from "../../image/store.ts";
import type { Handler } from "../handler.ts";
import { viewImage } from "../views.ts";

export const listImages: Handler<"listImages"> = async ({ db }) => ({
  images: (await readImages(db.kysely)).map(viewImage),
});
