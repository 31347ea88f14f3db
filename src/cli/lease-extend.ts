import { Option } from "commander";
import type { Client } from "../api/client/client.ts";
import type { LeaseView } from "../api/contract/view.ts";
import { type ExtensionId, type LeaseId, newId } from "../unit/id.ts";
import { formatMoneyMicros, parseMoneyMicros } from "../unit/money.ts";
import { confirm } from "./confirm.ts";
import type { Context } from "./context.ts";
import { CliError } from "./failure.ts";
import { followLease } from "./follow-lease.ts";
import { leaseText } from "./lease-text.ts";
import { connectFor } from "./naming/connect-for.ts";
import { readId } from "./option/id.ts";
import { duration, quantity } from "./option/quantity.ts";
import { instant } from "./output/words.ts";
import { untilAnswered } from "./until-answered.ts";
import { verb } from "./verb.ts";

interface ExtendInput {
  readonly lease: string;
  readonly for: number;
  readonly maxCost?: bigint;
  readonly id?: string;
  readonly wait?: true;
  readonly yes?: true;
}

export const leaseExtendVerb = verb<ExtendInput>({
  usage: "extend <lease>",
  summary: "Let a lease last longer, at its own price, where its partition is free.",
  examples: [
    "sublet lease extend lease_01k9… --for 1h",
    "sublet lease extend lease_01k9… --for 1h --max-cost 0.20 --yes --wait",
  ],
  more: "Pending, and not charged, until the lease's host has acknowledged it; what it can cost is held\nmeanwhile. When the host does not acknowledge it before the lease's old end, it lapses.",
  options: [
    duration("--for <time>", "for how much longer, like 30m or 1h").makeOptionMandatory(),
    quantity("--max-cost <amount>", "the most it may add to the cost, like 0.20", parseMoneyMicros),
    new Option("--id <id>", "extend under this id; the same id extends once"),
    new Option("--wait", "until its host has acknowledged it"),
    new Option("--yes", "extend without asking"),
  ],
  run: async (context, input) => {
    const extensionId =
      input.id === undefined
        ? newId("extension", context.clock.now().getTime())
        : readId("extension", input.id);
    const { client, id: leaseId } = await connectFor(context, "lease", input.lease);
    const limit = input.yes
      ? input.maxCost?.toString()
      : await agree(context, client, leaseId, input);
    const body = {
      seconds: input.for,
      ...(limit === undefined ? {} : { maxAdditionalMicros: limit }),
    };
    const params = { leaseId, extensionId };
    const again = `sublet lease extend ${leaseId} --for ${input.for}s --id ${extensionId} --yes`;
    const lease = await untilAnswered(context, () => client.call("extendLease", { params, body }), {
      id: extensionId,
      again,
    });
    const last = input.wait ? await settled(context, client, lease, extensionId) : lease;
    return { json: last, text: leaseText(last) };
  },
});

/** Shows what it adds and asks. What is agreed to is the most that it may then add. */
async function agree(
  context: Context,
  client: Client,
  leaseId: LeaseId,
  { for: seconds, maxCost }: ExtendInput,
): Promise<string> {
  const quoted = await client.call("quoteExtension", { params: { leaseId }, body: { seconds } });
  const most = formatMoneyMicros(BigInt(quoted.additionalMicros));
  if (maxCost !== undefined && BigInt(quoted.additionalMicros) > maxCost) {
    throw new CliError(
      "cost-above-limit",
      `this costs up to ${most} more, and ${formatMoneyMicros(maxCost)} was the limit; raise it or extend by less`,
    );
  }
  const question = `${leaseId} until ${instant(quoted.end)}, at most ${most} more. Extend it?`;
  if (!(await confirm(context, question))) {
    throw new CliError(
      "not-confirmed",
      "nothing was extended; answer y, or type --yes, when it shall be",
    );
  }
  return quoted.additionalMicros;
}

async function settled(
  context: Context,
  client: Client,
  asked: LeaseView,
  extensionId: ExtensionId,
): Promise<LeaseView> {
  const find = (lease: LeaseView) =>
    lease.extensions.find((extension) => extension.extensionId === extensionId);
  const since = new Date(find(asked)?.createdAt ?? 0);
  const isSettled = (lease: LeaseView) => find(lease)?.state !== "pending";
  const lease = await followLease(context, client, asked.leaseId, isSettled, since);
  const extension = find(lease);
  if (extension?.state === "in-force") return lease;
  const reason = extension?.reason ?? "unknown";
  throw new CliError(
    "extension-lapsed",
    `the extension lapsed (${reason}); nothing of it is charged, and ${lease.leaseId} is ${lease.state}`,
    { leaseId: lease.leaseId, extensionId, reason },
  );
}
