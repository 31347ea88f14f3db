import { decideTrust, type Trust } from "../../enablement/capacity/trust.ts";
import { inTransaction } from "../../meter/transaction.ts";
import { unwrapPasted } from "../../signature/envelope.ts";
import { AgentError } from "../agent-error.ts";
import { writeAct } from "../capacity/act-store.ts";
import { tellCapacityTime } from "../capacity/clock-store.ts";
import { hostIdOf } from "../capacity/host.ts";
import { type AgentContext, instantNow } from "../context.ts";
import { isTrusted, readPinned, writeTrusted } from "./store.ts";

/** What the card would change; nothing is stored. */
export function judgeCard({ db }: Pick<AgentContext, "db">, cardText: string): Trust {
  return decideTrust(unwrapPasted(cardText), (id) => readPinned(db, id));
}

/**
 * Pins the provider of the card, or the keys that it adds, and trusts it again where it was not
 * trusted any more; each change is an act. Repeating it changes nothing.
 */
export function pinProvider(context: AgentContext, cardText: string): Trust {
  const { db, log } = context;
  return inTransaction(db, () => {
    const trust = judgeCard(context, cardText);
    if (!trust.ok) return trust;
    const { provider, newKids } = trust;
    const { providerId, name, keys } = provider;
    const isChange = newKids.length > 0 || !isTrusted(db, providerId);
    writeTrusted(db, provider, instantNow(context));
    if (!isChange) return trust;
    const detail = { providerId, kids: keys.map(({ kid }) => kid) };
    const now = tellCapacityTime(context);
    writeAct(db, hostIdOf(context), now, { kind: "provider-trusted", ...detail });
    log.info({ providerId, name, newKids }, "a provider is trusted");
    return trust;
  });
}

/**
 * For a host that nobody attends: whoever starts it has said so. Whom its owner has untrusted since
 * stays so, since the command line of a service is older than that.
 */
export function trustAtStart(context: AgentContext, cardText: string): void {
  const judged = judgeCard(context, cardText);
  const known = judged.ok ? readPinned(context.db, judged.provider.providerId) : null;
  if (known !== null && !known.isTrusted) {
    const { providerId, name } = known;
    const word = "--trust-provider names a provider that was untrusted here; it stays untrusted";
    context.log.warn({ providerId, name }, word);
    return;
  }
  const trust = pinProvider(context, cardText);
  if (trust.ok) return;
  throw new AgentError(
    "provider-card-refused",
    `--trust-provider was refused (${trust.code}): ${trust.message}`,
  );
}
