import { Option } from "commander";
import type { Client } from "../../api/client/client.ts";
import type { Response } from "../../api/contract/contract.ts";
import type { CapacityCode } from "../../enablement/capacity/code.ts";
import { quantityText, useText } from "../../enablement/capacity/resource.ts";
import { claimedPayload, unwrapPasted } from "../../signature/envelope.ts";
import { newId } from "../../unit/id.ts";
import { formatMoneyMicros } from "../../unit/money.ts";
import { connect } from "../connect.ts";
import type { Context } from "../context.ts";
import { CliError } from "../failure.ts";
import { resolveId } from "../naming/resolve-id.ts";
import { isColoured } from "../output/colour.ts";
import { facts } from "../output/table.ts";
import { instant } from "../output/words.ts";
import { untilAnswered } from "../until-answered.ts";
import { verb } from "../verb.ts";
import { outputOption, pasteable, readPaper, writePaper } from "./paper.ts";
import { svgText, terminalText } from "./qr.ts";
import { changedTerms, type TypedTerms, termsOptions } from "./terms-options.ts";

interface IssueInput extends TypedTerms {
  readonly request: string;
  readonly output?: string;
  readonly qr?: string;
}

export const issue = verb<IssueInput>({
  usage: "issue <request>",
  summary: "Sign a code for a request: sent, in a file, or - for stdin (provider).",
  examples: [
    "sublet capacity issue request_01k9…",
    "sublet capacity issue wish.request -o h1.code",
    "sublet capacity issue wish.request --price 0.08/h --valid 30d",
    "sublet capacity issue wish.request --qr h1.svg",
  ],
  more: "The code is pasted or carried to the host as it is. Its claim number fetches it once, for a week;\nit is shown this once only. Terms that are typed are for this code alone.",
  options: [
    outputOption("write the code there instead of printing it"),
    new Option("--qr <file>", "draw it as QR codes too: an SVG file, or - for this terminal"),
    ...termsOptions(),
  ],
  run: async (context, { request, output, qr, ...typed }) => {
    const { client } = await connect(context);
    const body = {
      codeId: newId("code"),
      request: await requestOf(context, client, request),
    };
    const terms = await termsFor(client, body.request, typed);
    const send = () => client.call("issueCode", { body: { ...body, ...terms } });
    const again = "sublet capacity list";
    const issued = await untilAnswered(context, send, { again, id: body.codeId });
    const { codeJws } = issued.code;
    const files = {
      ...(output === undefined ? {} : { file: await writePaper(codeJws, output) }),
      ...(qr === undefined || qr === "-" ? {} : { qrFile: await writePaper(svgText(codeJws), qr) }),
    };
    const told = [
      issuedText(issued),
      ...(output === undefined ? [] : [`written to   ${output}`]),
      ...(files.qrFile === undefined ? [] : [`drawn in     ${qr}`]),
    ].join("\n");
    const shown = [
      ...(output === undefined ? [pasteable(codeJws)] : []),
      ...(qr === "-" ? [drawnFor(context, codeJws)] : []),
    ];
    return { json: { ...issued, ...files }, text: [told, ...shown].join("\n\n") };
  },
});

function drawnFor(context: Context, codeJws: string): string {
  const { stdout } = context;
  return terminalText(codeJws, {
    columns: stdout.columns ?? 80,
    isColoured: isColoured(context, stdout),
  });
}

type SentRequest = `request_${string}` | { readonly requestJws: string };

/** A word that can be the beginning of an id is one, unless a file has that name. */
async function requestOf(context: Context, client: Client, given: string): Promise<SentRequest> {
  if (/^request_[0-9a-z]+…?$/.test(given)) return resolveId(client, "request", given);
  const text = given.startsWith("eyJ") ? given : await readPaper(context, given);
  const requestJws = unwrapPasted(text);
  const payload = claimedPayload(requestJws);
  if (typeof payload === "object" && payload !== null && "requestId" in payload) {
    return { requestJws };
  }
  throw new CliError(
    "request-unreadable",
    `${given} holds no request, or not all of one; make it with \`sublet capacity request --agent SOCKET -o FILE\``,
    { given },
  );
}

/** Left out when nothing was typed, so that what the server has counts. */
async function termsFor(client: Client, request: SentRequest, typed: TypedTerms) {
  if (Object.values(typed).every((value) => value === undefined)) return {};
  const { terms } = await client.call("listCapacityTerms");
  const resource = await resourceOf(client, request);
  const before = terms.find((one) => one.resource === resource)?.terms;
  // Without any terms it is the server that refuses, with the way out.
  return before === undefined ? {} : { terms: changedTerms(resource, typed, before) };
}

async function resourceOf(client: Client, request: SentRequest): Promise<CapacityCode["resource"]> {
  if (typeof request !== "string") {
    const { resource } = claimedPayload(request.requestJws) as { resource: unknown };
    return resource === "memory" ? "memory" : "cpu";
  }
  const { requests } = await client.call("listCapacityRequests");
  return requests.find(({ requestId }) => requestId === request)?.resource ?? "cpu";
}

function issuedText({ code, payload, claimNumber }: Response<"issueCode">): string {
  const { tariff, resource } = payload;
  const unit = resource === "cpu" ? "core-hour" : "GiB-hour";
  const price = `${formatMoneyMicros(BigInt(tariff.priceMicrosPerHour))} ${tariff.currency}`;
  return facts([
    ["code", `${code.codeId}, number ${code.sequence} for ${code.host.name}`],
    ["customer", code.customer.name],
    [
      "enables",
      `${useText(resource, BigInt(code.resourceTime))}, at most ${quantityText(resource, code.quantity)} at once`,
    ],
    ["valid until", instant(code.validity.end)],
    ["price", `${price} a ${unit}`],
    ["claim number", claimNumber ?? "was shown when it was issued"],
    ...(code.claimExpiresAt === null
      ? []
      : ([["", `fetches it once, until ${instant(code.claimExpiresAt)}`]] as const)),
  ]);
}
