import { readFile, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { Option } from "commander";
import type { Context, Outcome } from "../context.ts";
import { CliError } from "../failure.ts";

/** Narrow enough for a mail, and read again with its line breaks. */
const COLUMNS = 72;

export function outputOption(what = "write it there instead of printing it"): Option {
  return new Option("-o, --output <file>", what);
}

/** The signed text on lines that can be pasted; white space in it means nothing. */
export function pasteable(jws: string): string {
  return (jws.match(new RegExp(`.{1,${COLUMNS}}`, "g")) ?? []).join("\n");
}

/** The signed text alone on stdout, so that it can be piped; or in the file, and said so. */
export async function written(
  json: object,
  jws: string,
  output: string | undefined,
  told: string,
): Promise<Outcome> {
  if (output === undefined) return { json, text: jws };
  const path = await writePaper(jws, output);
  return { json: { ...json, file: path }, text: `${told}\nwritten to ${output}` };
}

export async function writePaper(text: string, output: string): Promise<string> {
  const path = resolve(output);
  await writeFile(path, `${text.trimEnd()}\n`);
  return path;
}

/** What a file holds, or what comes on stdin where it is `-`. */
export async function readPaper({ stdin }: Pick<Context, "stdin">, file: string): Promise<string> {
  if (file === "-") return readAll(stdin);
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code === "ENOENT" ? "no such file" : String(error);
    throw new CliError("file-unreadable", `${file} cannot be read: ${why}; check its name`, {
      file,
    });
  }
}

async function readAll(stdin: Context["stdin"]): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stdin) chunks.push(Buffer.from(chunk as Buffer));
  return Buffer.concat(chunks).toString("utf8");
}

/** Asks for a text of several lines, on stderr; it ends with an empty line or the end of input. */
export async function askForText(context: Context, question: string): Promise<string> {
  context.stderr.write(`${question}\n`);
  const lines = createInterface({ input: context.stdin, output: context.stderr, terminal: false });
  const typed: string[] = [];
  for await (const line of lines) {
    if (line.trim() !== "") typed.push(line);
    else if (typed.length > 0) break;
  }
  lines.close();
  return typed.join("\n");
}
