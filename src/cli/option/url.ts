import { InputError } from "../../unit/quantity.ts";

/** Where a Sublet server is: `http://` or `https://`, without a path. */
export function parseServerUrl(text: string): string {
  const url = URL.parse(text);
  const right = url !== null && /^https?:$/.test(url.protocol) && url.search + url.hash === "";
  if (!right || url.username || url.password) {
    throw new InputError(
      `"${text}" is not the address of a server; write it like http://127.0.0.1:7070`,
    );
  }
  return url.href.replace(/\/+$/, "");
}
