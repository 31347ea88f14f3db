import { decideTrust, type Trust } from "../../enablement/capacity/trust.ts";
import { unwrapPasted } from "../../signature/envelope.ts";
import { AgentError } from "../agent-error.ts";
import { type AgentContext, instantNow } from "../context.ts";
import { listTrusted, writeTrusted } from "./store.ts";

/** What the card would change; nothing is stored. */
export function judgeCard({ db }: Pick<AgentContext, "db">, cardText: string): Trust {
  const trusted = listTrusted(db);
  return decideTrust(
    unwrapPasted(cardText),
    (id) => trusted.find(({ providerId }) => providerId === id) ?? null,
  );
}

/** Pins the provider of the card, or the keys that it adds. Repeating it changes nothing. */
export function pinProvider(context: AgentContext, cardText: string): Trust {
  const trust = judgeCard(context, cardText);
  if (!trust.ok) return trust;
  const { provider, newKids } = trust;
  writeTrusted(context.db, provider, instantNow(context));
  const { providerId, name } = provider;
  if (newKids.length > 0) context.log.info({ providerId, name, newKids }, "a provider is trusted");
  return trust;
}

/** For a host that nobody attends: whoever starts it has said so. */
export function trustAtStart(context: AgentContext, cardText: string): void {
  const trust = pinProvider(context, cardText);
  if (trust.ok) return;
  throw new AgentError(
    "provider-card-refused",
    `--trust-provider was refused (${trust.code}): ${trust.message}`,
  );
}
