import { existsSync } from "node:fs";
import { isId } from "../../unit/id.ts";
import { InputError } from "../../unit/quantity.ts";
import { connect } from "../connect.ts";
import type { Context } from "../context.ts";
import { CliError } from "../failure.ts";
import { claimCode } from "./claim.ts";
import { askForText, readPaper } from "./paper.ts";
import { isPasted, readCode, readPasted } from "./pasted.ts";

/** A code itself, however it was given: pasted, in a file, by its claim number, or by its id. */
export async function readGivenCode(context: Context, given: string | undefined): Promise<string> {
  const pasted = readPasted(await givenText(context, given));
  if (pasted.kind === "code") return pasted.jws;
  return readCode((await claimCode(context, pasted.number)).codeJws).jws;
}

async function givenText(context: Context, given: string | undefined): Promise<string> {
  if (given === undefined) {
    if (context.stdin.isTTY) {
      return askForText(
        context,
        "Paste the code, or type its claim number; an empty line ends it.",
      );
    }
    throw new InputError("give the code, its file, its claim number, or - to read it from stdin");
  }
  if (given === "-") return readPaper(context, given);
  if (isId("code", given)) return codeOfServer(context, given);
  // A file wins over a claim number that nobody would call a file.
  if (existsSync(given)) return readPaper(context, given);
  return isPasted(given) ? given : readPaper(context, given);
}

/** The server keeps what was issued for one's own hosts; undefined: it was issued elsewhere. */
export async function findOwnCode(context: Context, codeId: string): Promise<string | undefined> {
  const { client } = await connect(context);
  const { codes } = await client.call("listOwnCapacity");
  return codes.find((one) => one.codeId === codeId)?.codeJws;
}

async function codeOfServer(context: Context, codeId: string): Promise<string> {
  const found = await findOwnCode(context, codeId);
  if (found !== undefined) return found;
  throw new CliError(
    "not-found",
    `no code for a host of yours is ${codeId}; \`sublet capacity list\` shows which there are`,
    { what: "code", id: codeId },
  );
}
