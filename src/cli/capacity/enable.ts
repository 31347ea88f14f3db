import { Option } from "commander";
import type { Enabled as EnabledAtAgent, EnableWish } from "../../agent/capacity/enable.ts";
import { quantityText } from "../../enablement/capacity/resource.ts";
import { InputError } from "../../unit/quantity.ts";
import type { Context } from "../context.ts";
import { facts } from "../output/table.ts";
import { verb } from "../verb.ts";
import { agentInstead, askAgent } from "./at-agent.ts";
import { readGivenCode } from "./given-code.ts";
import { hostInstead, order, placeOf } from "./order.ts";
import { readPaper } from "./paper.ts";
import { type Amount, amountOf, amountOptions, type TypedAmount } from "./wish.ts";

interface EnableInput extends TypedAmount {
  readonly code?: string;
  readonly accepted?: true;
  readonly partition?: string;
  readonly shared?: true;
  readonly consent?: string;
  readonly agent?: string;
  readonly host?: string;
}

/** As it comes over the socket, where all that is counted is text. */
type Enabled = Pick<EnabledAtAgent, "codeId" | "isAlreadyApplied" | "service">;
type Service = NonNullable<Enabled["service"]>;

export const enable = verb<EnableInput>({
  usage: "enable [code]",
  summary: "Enable standby capacity: a code pasted, in a file, by claim number, or - for stdin.",
  examples: [
    "sublet capacity enable h1.code --partition p1 --agent /run/sublet/agent.sock",
    "sublet capacity enable 7H2KX-00000-4T9WR-YZ1Q8 --shared --agent /run/sublet/agent.sock",
    "sublet capacity enable --accepted --partition p2 --cpu 1 --agent /run/sublet/agent.sock",
    "sublet capacity enable - --agent /run/sublet/agent.sock < h1.code",
    "sublet capacity enable code_01k9… --partition p1 --host h1",
  ],
  more: "--partition: into its running guest at once; it is paid for from then until it is returned.\n--shared: into the pool; each shared partition pays above its own threshold. With neither, the code\nis accepted and nothing begins. Without a code it is asked for; an empty line ends it. Pasting\nmay break lines. A claim number is fetched from a server: your login's, or --server URL.",
  options: [
    new Option("--partition <name>", "for the guest of this partition alone"),
    new Option("--shared", "for the pool that shared partitions use").conflicts("partition"),
    ...amountOptions(),
    new Option("--accepted", "use what is left of codes that were accepted before"),
    new Option("--consent <file>", "of a leased partition: what its client has signed"),
    agentInstead(),
    hostInstead().conflicts(["agent", "consent"]),
  ],
  run: async (context, input) => {
    const amount = amountOf(input);
    const { partition, shared } = input;
    const place = placeOf(input);
    const code = await codeText(context, input);
    if (code === undefined && partition === undefined && shared === undefined) {
      throw new InputError("say where to with --partition NAME or --shared");
    }
    const wish = {
      ...(code === undefined ? {} : { code }),
      ...(partition === undefined ? {} : { partition }),
      ...(shared === undefined ? {} : { shared }),
      ...amount,
    };
    if (place.host !== undefined) return order(context, place.host, { kind: "enable", ...wish });
    const { agent = "" } = place;
    const { consent } = input;
    const body: EnableWish =
      consent === undefined ? wish : { ...wish, consent: await readPaper(context, consent) };
    const ask = { method: "POST", path: "/v1/capacity/enable", body };
    const waiting = `${partition ?? "the pool"} takes ${amountText(amount)}`;
    const enabled = await askAgent<Enabled>(context, agent, ask, waiting);
    return { json: enabled, text: enabledText(enabled) };
  },
});

function amountText(amount: Amount | null): string {
  return amount === null ? "it" : quantityText(amount.resource, amount.quantity);
}

/** The code itself, wherever it came from; undefined: those that were accepted before. */
async function codeText(context: Context, input: EnableInput): Promise<string | undefined> {
  if (!input.accepted) return readGivenCode(context, input.code);
  if (input.code === undefined) return undefined;
  throw new InputError("give either a code or --accepted");
}

function enabledText({ codeId, isAlreadyApplied, service }: Enabled): string {
  const accepted = isAlreadyApplied ? "was accepted before" : "is accepted";
  const code: [string, string][] = codeId === null ? [] : [["code", `${codeId} ${accepted}`]];
  if (service === null) {
    const next = "put it into service with `sublet capacity enable --accepted --partition NAME`";
    return `${facts(code)}\nnothing is in service by it; ${next}`;
  }
  const amount = quantityText(service.resource, service.quantity);
  const isDedicated = service.mode === "dedicated";
  return facts([
    ...code,
    ["service", service.serviceId],
    [
      "enabled",
      isDedicated ? `${amount} for ${service.partition?.name ?? "-"}` : `${amount} for the pool`,
    ],
    ["state", stateText(service)],
    ...(isDedicated
      ? []
      : ([["charged", "what each shared partition uses above its own threshold"]] as const)),
  ]);
}

function stateText({ state, mode }: Service): string {
  if (state === "in-service") {
    return mode === "dedicated" ? "in service; its time is counted" : "in service";
  }
  if (state === "wanted") return "waits for the guest to run; nothing is counted until it has it";
  return state;
}
