import { InputError } from "../../unit/quantity.ts";

/** `127.0.0.1:7070`, `[::1]:7070`, `localhost:0` (any free port). */
export function parseListen(text: string): string {
  const match = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):(\d{1,5})$/.exec(text.trim());
  if (!match || Number(match[2]) > 65_535) {
    throw new InputError(`"${text}" is not an address and port; write it like 127.0.0.1:7070`);
  }
  return text.trim();
}

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
