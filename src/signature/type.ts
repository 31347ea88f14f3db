/**
 * Everything that is signed, and who signs it. The `typ` stands in the signed header, so that a
 * text made for one purpose is never taken for another.
 *
 * | typ                   | signer | says                                          | payload            |
 * |-----------------------|--------|-----------------------------------------------|--------------------|
 * | `sublet-grant`        | server | this host may run this lease                  | enablement/grant   |
 * | `sublet-end`          | server | this lease ends now                           | enablement/grant   |
 * | `sublet-power`        | server | the client wants this of its guest's power     | enablement/power   |
 * | `sublet-time`         | server | the server's time, answering a nonce          | host/signed        |
 * | `sublet-receipt`      | server | these usage records are stored durably        | meter/record       |
 * | `sublet-host-removal` | server | the lender declared this lease's host dead    | partition/signed   |
 * | `sublet-bill`         | server | this bill is closed                           | billing/bill       |
 * | `sublet-server-key`   | server | this server's key is now that one             | enablement/server-key |
 * | `sublet-agent-token`  | agent  | this request comes from this host             | host/signed        |
 * | `sublet-key-rotation` | agent  | this host's key is now that one               | host/signed        |
 * | `sublet-access`       | agent  | the way in to a lease's guest                 | partition/signed   |
 * | `sublet-extended`     | agent  | an extension is taken, until this instant     | partition/signed   |
 * | `sublet-usage`        | agent  | a batch of usage records                      | meter/record       |
 * | `sublet-wipe-receipt` | agent  | nothing of this lease is left                 | partition/signed   |
 * | `sublet-host-card`    | agent  | this host, its key and what it has             | enablement/capacity |
 * | `sublet-capacity-request` | agent | this host wants standby capacity enabled    | enablement/capacity |
 * | `sublet-own-grant`    | agent  | this host's owner runs this guest               | enablement/own-grant |
 * | `sublet-acts`         | agent  | what was done with capacity, act by act        | enablement/capacity |
 * | `sublet-provider-card` | provider | this provider and its keys                  | enablement/capacity |
 * | `sublet-capacity-code` | provider | this host may use so much standby capacity  | enablement/capacity |
 * | `sublet-acts-receipt` | provider | these acts are stored durably                 | enablement/capacity |
 */
export const SIGNED_TYPES = {
  "sublet-grant": "server",
  "sublet-end": "server",
  "sublet-power": "server",
  "sublet-time": "server",
  "sublet-receipt": "server",
  "sublet-host-removal": "server",
  "sublet-bill": "server",
  "sublet-server-key": "server",
  "sublet-agent-token": "agent",
  "sublet-key-rotation": "agent",
  "sublet-access": "agent",
  "sublet-extended": "agent",
  "sublet-usage": "agent",
  "sublet-wipe-receipt": "agent",
  "sublet-host-card": "agent",
  "sublet-capacity-request": "agent",
  "sublet-own-grant": "agent",
  "sublet-acts": "agent",
  "sublet-provider-card": "provider",
  "sublet-capacity-code": "provider",
  "sublet-acts-receipt": "provider",
} as const;
export type SignedType = keyof typeof SIGNED_TYPES;
