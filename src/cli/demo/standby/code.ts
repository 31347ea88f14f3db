import type { Response } from "../../../api/contract/contract.ts";
import type { Play } from "../story.ts";
import { HOST, OWNER, VENDOR } from "./host.ts";

export interface IssuedCode {
  readonly requestId: string;
  readonly codeId: string;
  /** Fetches the code once. */
  readonly claimNumber: string;
}

/** The owner asks, the vendor signs. */
export async function obtainCode({ stage, teller }: Play): Promise<IssuedCode> {
  const { verbs } = stage;
  teller.say("The owner asks for a core for an hour; the vendor signs a code that says just that.");
  const ask = ["capacity", "request", "--host", HOST, "--cpu", "1", "--for", "1h", ...OWNER];
  teller.command(ask);
  const { requestId } = await verbs.do<Response<"requestCapacity">>(...ask);
  const issue = ["capacity", "issue", requestId, ...VENDOR];
  teller.command(issue);
  const { code, claimNumber } = await verbs.do<Response<"issueCode">>(...issue);
  if (claimNumber === null) throw new Error(`${code.codeId} was issued before`);
  teller.detail(`signed; its claim number, for the telephone: ${claimNumber}`);
  return { requestId, codeId: code.codeId, claimNumber };
}
