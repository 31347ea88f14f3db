import { row } from "./row.ts";

/** What is refused of standby capacity and its codes: by the server, and by the agent at its socket. */
export const CAPACITY_REFUSALS = {
  "standby-short": row<{ host: string; resource: string; quantity: number; standby: number }>(
    409,
    ({ host, resource, quantity, standby }) =>
      `${host} has ${standby} of ${resource} installed and not enabled, and ${quantity} was asked for; ask for less, or give its agent more with --standby-cores or --standby-memory`,
  ),
  "host-unconfirmed": row<{ host: string }>(
    409,
    ({ host }) =>
      `nobody has said yet that ${host} is its customer's; have the customer, or the operator, type \`sublet capacity confirm ${host}\``,
  ),
  "host-key-differs": row<{ host: string; key: string }>(
    409,
    ({ host, key }) =>
      `the key of ${host} is ${key} and not the one that was looked at; compare it with what \`sublet capacity card\` says at that host`,
  ),
  "capacity-not-whole": row<{ resource: string }>(400, ({ resource }) =>
    resource === "cpu"
      ? "capacity is enabled in whole cores; ask for 1 or 2, and not for a part"
      : "memory is enabled in whole blocks of 128 MiB; ask for a multiple of that",
  ),
  "provider-not-named": row<{ providers: readonly string[] }>(409, ({ providers }) =>
    providers.length === 0
      ? "nobody sells standby capacity here; ask the operator for a party with the role provider"
      : `several sell standby capacity here, ${providers.join(" and ")}; choose one with --provider`,
  ),
  "no-capacity-terms": row<{ provider: string; resource: string }>(
    409,
    ({ provider, resource }) =>
      `${provider} has set no terms for ${resource}; set them with \`sublet capacity terms ${resource}\``,
  ),
  "request-settled": row<{ requestId: string; state: string }>(
    409,
    ({ requestId, state }) =>
      `${requestId} is ${state} already; see \`sublet capacity list\`, or make another request`,
  ),
  "host-registered-otherwise": row<{ host: string }>(
    409,
    ({ host }) =>
      `${host} is known here with another key or another owner; compare the card with its owner's, or remove the host first`,
  ),
  "claim-mistyped": row<{ message: string }>(400, ({ message }) => message),
  "claim-unknown": row<object>(
    404,
    () => "no code has this claim number; ask the provider for the code itself, or a new number",
  ),
  "claim-used": row<{ codeId: string }>(
    409,
    ({ codeId }) =>
      `${codeId} was fetched with this number before; find it where it was fetched, or ask the provider for the code itself`,
  ),
  "claim-expired": row<{ codeId: string }>(
    410,
    ({ codeId }) => `the number for ${codeId} is too old; ask the provider for the code itself`,
  ),
  "claims-too-many": row<{ seconds: number }>(
    429,
    ({ seconds }) => `too many claim numbers that do not exist; wait ${seconds} seconds`,
  ),

  "lent-capacity-short": row<{ leaseId: string; host: string; until: string }>(
    409,
    ({ leaseId, host, until }) =>
      `the codes that ${host} lends have no more for ${leaseId} than until ${until}; extend it to no later than that, or book another partition`,
  ),
  "code-reserved": row<{ codeId: string; until: string }>(
    409,
    ({ codeId, until }) =>
      `leases have reserved of ${codeId} until ${until}; keep it when they have ended, or use another code`,
  ),

  "code-refused": row<{ reason: string; message: string }>(
    409,
    ({ message }) =>
      `the code is not taken: ${message}; ask its provider when that is not what you expect`,
  ),
  "provider-not-trusted": row<{ providerId: string }>(
    409,
    ({ providerId }) =>
      `the code is by ${providerId}, whose key is not pinned here; compare the thumbprint of its card with the provider, and use \`sublet capacity trust CARD\``,
  ),
  "provider-untrusted": row<{ providerId: string; name: string }>(
    409,
    ({ providerId, name }) =>
      `${name} (${providerId}) was untrusted here, so its codes enable nothing; when it is to be trusted again, use \`sublet capacity trust CARD\``,
  ),
  "codes-too-often": row<{ seconds: number }>(
    429,
    ({ seconds }) =>
      `codes of other hosts were entered several times; wait ${seconds} s with those, one for this host is taken at any time`,
  ),
  "capacity-none": row<{ resource: string }>(
    409,
    ({ resource }) =>
      `no accepted code has ${resource} left; request one with \`sublet capacity request\`, and enable it`,
  ),
  "capacity-beyond-codes": row<{ resource: string; wanted: number; free: number }>(
    409,
    ({ resource, wanted, free }) =>
      `the codes in force let ${free} more of ${resource} into service at once, and ${wanted} was asked for; use another code, or \`sublet capacity return\` what is in service`,
  ),
  "standby-taken": row<{ resource: string; wanted: number; free: number }>(
    409,
    ({ resource, wanted, free }) =>
      `${free} of ${resource} in standby is not in service already, and ${wanted} was asked for; use \`sublet capacity return\` first`,
  ),
  "capacity-unreturned": row<{ serviceId: string }>(
    409,
    ({ serviceId }) =>
      `${serviceId} had to be given back and was not; return it (\`sublet capacity return\`, or restart its guest), or enter a new code of its provider that covers it, then ask again`,
  ),
  "capacity-unreported": row<{ providerId: string; resource: string }>(
    409,
    ({ providerId, resource }) =>
      `too much use of ${resource} is unreported to ${providerId}; write a report with \`sublet usage export\`, have the provider take it, and import its receipts`,
  ),
  "capacity-wrong-mode": row<{ message: string }>(409, ({ message }) => message),
  "capacity-in-use-otherwise": row<{ providerId: string }>(
    409,
    ({ providerId }) =>
      `the pool is served by codes of ${providerId}; return that service first, or use a code of the same provider`,
  ),
  "capacity-consent-missing": row<{ partition: string; leaseId: string; statement: string }>(
    409,
    ({ partition, leaseId, statement }) =>
      `${partition} is leased (${leaseId}), and only its client can let it be changed; have the client sign this text with \`ssh-keygen -Y sign -n sublet-consent -f KEY\` and give the signature: ${statement}`,
  ),
  "capacity-consent-refused": row<{ message: string }>(
    409,
    ({ message }) =>
      `the client's consent does not count: ${message}; ask the client to sign it again`,
  ),
  "capacity-not-reservable": row<{
    wanted: string;
    until: string;
    needed: string;
    left: string;
    atOnce: string;
    request: string;
  }>(
    409,
    ({ wanted, until, needed, left, atOnce, request }) =>
      `${wanted} until the lease's end at ${until} take ${needed}, and the codes that are valid for all of that have ${left} that is not reserved, ${atOnce} at once; ask for a code of that much with \`sublet capacity request ${request}\``,
  ),
  "code-in-service": row<{ codeId: string; services: readonly string[] }>(
    409,
    ({ codeId, services }) =>
      `${codeId} is in service (${services.join(", ")}) and cannot be lent; return that first with \`sublet capacity return\`, or wait for its lease's end`,
  ),
  "code-lent": row<{ codeId: string }>(
    409,
    ({ codeId }) =>
      `${codeId} is lent, and serves leases alone; use another code, or have the server keep it for you with \`sublet capacity keep ${codeId} --host NAME\``,
  ),
  "code-serves-lease": row<{ codeId: string; leaseId: string }>(
    409,
    ({ codeId, leaseId }) =>
      `resource-time of ${codeId} is reserved for ${leaseId}; wait for that lease's end, then ask again`,
  ),
  "keep-by-server": row<{ codeId: string }>(
    409,
    ({ codeId }) =>
      `only the server knows whether leases are booked on ${codeId}; have it do that with \`sublet capacity keep ${codeId} --host NAME\``,
  ),
  "capacity-of-lease": row<{ serviceId: string; leaseId: string }>(
    409,
    ({ serviceId, leaseId }) =>
      `${serviceId} is part of what ${leaseId} was promised; wait for that lease's end, which returns it`,
  ),
  "capacity-not-taken": row<{ message: string }>(
    409,
    ({ message }) =>
      `the guest did not take it, so nothing was begun: ${message}; try again, or start its guest anew`,
  ),
  "capacity-not-given-back": row<{ message: string }>(
    409,
    ({ message }) =>
      `the guest did not give it back, so it stays in service: ${message}; power the guest off, or try again`,
  ),
  "threshold-refused": row<{ message: string }>(409, ({ message }) => message),
  "receipt-refused": row<{ message: string }>(
    409,
    ({ message }) =>
      `the receipts are not taken: ${message}; ask the provider to write the file again`,
  ),
  "acts-first": row<{ chainId: string }>(
    409,
    ({ chainId }) =>
      `no act that came so far begins ${chainId}; send the host's acts, and then this again`,
  ),
  "act-conflict": row<{ host: string; seq: number }>(
    409,
    ({ host, seq }) =>
      `act ${seq} of ${host} exists with other content; the host's state was set back, and its owner must look into it`,
  ),
  "act-refused": row<{ host: string; seq: number; message: string }>(
    422,
    ({ host, seq, message }) =>
      `act ${seq} of ${host} was refused: ${message}; the host's owner must look into it`,
  ),
} as const;
