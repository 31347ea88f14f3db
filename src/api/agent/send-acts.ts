import { refusal } from "../../refusal/refusal.ts";
import type { Handler } from "../handler.ts";

/** No provider of this server takes reports yet; hosts keep theirs, or export them as files. */
export const sendActs: Handler<"sendActs"> = async (_context, { caller }) => {
  throw refusal("not-found", { what: "provider that takes the reports of", id: caller.name });
};
