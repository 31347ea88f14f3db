/** What QEMU says on its control socket: one JSON object a line. */
export type QmpMessage =
  | { readonly kind: "greeting" }
  | { readonly kind: "return"; readonly value: unknown }
  | { readonly kind: "error"; readonly description: string }
  | { readonly kind: "event"; readonly name: string };

/** Throws for what is no QMP: the process at the other end is not trusted to be well-behaved. */
export function parseQmpLine(line: string): QmpMessage {
  const message: unknown = JSON.parse(line);
  if (typeof message === "object" && message !== null) {
    if ("QMP" in message) return { kind: "greeting" };
    if ("return" in message) return { kind: "return", value: message.return };
    if ("event" in message) return { kind: "event", name: String(message.event) };
    if ("error" in message) return { kind: "error", description: describe(message.error) };
  }
  throw new Error("a QMP line was not understood");
}

/** Cuts what arrived into whole lines; `rest` begins the next one. */
export function splitLines(text: string): { readonly lines: string[]; readonly rest: string } {
  const lines = text.split("\n");
  const rest = lines.pop() ?? "";
  return { lines: lines.map((line) => line.trim()).filter((line) => line !== ""), rest };
}

function describe(error: unknown): string {
  if (typeof error === "object" && error !== null && "desc" in error) return String(error.desc);
  return JSON.stringify(error);
}
