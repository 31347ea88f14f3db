import { createReadStream, createWriteStream } from "node:fs";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import {
  type ReceiptFile,
  type ReportFile,
  receiptFileSchema,
  reportFileSchema,
} from "../../enablement/capacity/report-file.ts";
import { jwsText } from "../../unit/schema.ts";
import type { Context } from "../context.ts";
import { CliError } from "../failure.ts";
import { piecesOf, TextsError } from "./json-texts.ts";

/** So much goes at once: a fifth of what a server takes, and stored within its patience. */
const PART_BYTES = 1_000_000;
/** So much of the file is in memory at once, beside one part. */
const CHUNK_BYTES = 1 << 20;

/** A report or receipts on disk, whatever their size; its texts are read again for each use. */
export interface PaperFile {
  /** Without its texts. */
  readonly head: ReportFile | ReceiptFile;
  /** How many texts each of its arrays holds. */
  readonly counts: Readonly<Record<string, number>>;
  /** The texts of an array in order, as many at a time as go in one request. */
  parts(name: string): AsyncGenerator<readonly string[]>;
}

/**
 * Reads the whole file once, so that nothing is done with one that is damaged or cut off; then does
 * the work with it. `-` is stdin. Throws CliError `file-unreadable`.
 */
export async function withPaperFile<T>(
  { stdin }: Pick<Context, "stdin">,
  file: string,
  work: (paper: PaperFile) => Promise<T>,
): Promise<T> {
  if (file !== "-") return work(await openPaperFile(file, file));
  const folder = await mkdtemp(join(tmpdir(), "sublet-paper-"));
  try {
    const path = join(folder, "stdin");
    await pipeline(stdin, createWriteStream(path, { mode: 0o600 }));
    return await work(await openPaperFile(path, "stdin"));
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function openPaperFile(path: string, name: string): Promise<PaperFile> {
  await refuseMissing(path, name);
  const values: Record<string, unknown> = {};
  const counts: Record<string, number> = {};
  try {
    for await (const piece of piecesOf(chunksOf(path))) {
      if (piece.kind === "value") values[piece.name] = piece.value;
      else if (piece.kind === "texts") counts[piece.name] = 0;
      else if (jwsText.safeParse(piece.text).success)
        counts[piece.name] = countOf(counts, piece) + 1;
      else throw new TextsError(`a text of ${piece.name} is too long`);
    }
  } catch (error) {
    if (error instanceof TextsError) throw neither(name);
    throw error;
  }
  const empty = Object.fromEntries(Object.keys(counts).map((key) => [key, []]));
  const head = readHead(name, { ...values, ...empty });
  return { head, counts, parts: (member) => partsOf(path, member) };
}

function countOf(counts: Record<string, number>, { name }: { readonly name: string }): number {
  return counts[name] ?? 0;
}

function readHead(name: string, value: Record<string, unknown>): ReportFile | ReceiptFile {
  const isReport = value.kind === "sublet-capacity-report";
  if (!isReport && value.kind !== "sublet-capacity-receipts") throw neither(name);
  const read = (isReport ? reportFileSchema : receiptFileSchema).safeParse(value);
  if (read.success) return read.data;
  const where = read.error.issues[0]?.path.join(".") || "its whole";
  throw new CliError(
    "file-unreadable",
    `${name} is damaged, or of another version (at ${where}); carry it over again`,
    { file: name, where },
  );
}

async function* partsOf(path: string, member: string): AsyncGenerator<readonly string[]> {
  let part: string[] = [];
  let bytes = 0;
  for await (const piece of piecesOf(chunksOf(path))) {
    if (piece.kind !== "text" || piece.name !== member) continue;
    if (part.length > 0 && bytes + piece.text.length > PART_BYTES) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(piece.text);
    bytes += piece.text.length;
  }
  if (part.length > 0) yield part;
}

function chunksOf(path: string): AsyncIterable<string> {
  return createReadStream(path, { encoding: "utf8", highWaterMark: CHUNK_BYTES });
}

async function refuseMissing(path: string, name: string): Promise<void> {
  try {
    await stat(path);
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code === "ENOENT" ? "no such file" : String(error);
    throw new CliError("file-unreadable", `${name} cannot be read: ${why}; check its name`, {
      file: name,
    });
  }
}

function neither(file: string): CliError {
  return new CliError(
    "file-unreadable",
    `${file} is neither a report nor receipts, or not all of one; write it again with \`sublet usage export --agent SOCKET\` at the host, or \`sublet usage import\` at the provider`,
    { file },
  );
}
