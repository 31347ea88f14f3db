import { expect, test } from "vitest";
import { sign } from "../../signature/envelope.ts";
import { generateKey } from "../../signature/key.ts";
import { newId } from "../../unit/id.ts";
import { decideTrust, type TrustedProvider } from "./trust.ts";

const [first, second, third] = [generateKey(), generateKey(), generateKey()];
const providerId = newId("party");
const pinned: TrustedProvider = { providerId, name: "acme", keys: [first.publicJwk] };
const issuedAt = "2027-01-01T00:00:00.000Z";

function card(keys: readonly { publicJwk: object }[], by = first, typ = "sublet-provider-card") {
  const payload = { providerId, name: "acme", keys: keys.map((key) => key.publicJwk), issuedAt };
  return sign(typ as "sublet-provider-card", payload, by);
}
const nobody = () => null;
const acme = (id: string) => (id === providerId ? pinned : null);

test.each([
  ["the first card, by one of its keys", card([first, second], second), nobody, "ok"],
  [
    "the first card, by a key that it does not name",
    card([first], second),
    nobody,
    "provider-key-unknown",
  ],
  ["a later one by a pinned key", card([first, second], first), acme, "ok"],
  [
    "a later one by a new key of its own",
    card([first, second], second),
    acme,
    "provider-key-unknown",
  ],
  ["a later one of somebody else", card([third], third), acme, "provider-key-unknown"],
  [
    "another text of the same key",
    card([first], first, "sublet-capacity-code"),
    acme,
    "card-refused",
  ],
  ["no card at all", "x.y.z", nobody, "card-malformed"],
  [
    "a card with a key that is none",
    card([{ publicJwk: { kty: "RSA" } }]),
    nobody,
    "card-malformed",
  ],
])("%s", (_name, jws, knownOf, expected) => {
  const trust = decideTrust(jws, knownOf);
  expect(trust.ok ? "ok" : trust.code).toBe(expected);
});

test("keys are only ever added: a card that names fewer takes none away", () => {
  const both: TrustedProvider = { ...pinned, keys: [first.publicJwk, second.publicJwk] };
  const trust = decideTrust(card([second], second), () => both);
  expect(trust).toEqual({ ok: true, provider: both, newKids: [] });
});
