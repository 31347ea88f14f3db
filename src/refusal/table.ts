import { CAPACITY_REFUSALS } from "./capacity-table.ts";
import { type Row, row } from "./row.ts";

/** Every refusal there is: its HTTP status and its sentence, which tells the way out. */
export const REFUSALS = {
  // Who is asking
  "not-authenticated": row<object>(
    401,
    () => "no valid key was sent; run `sublet login URL --key KEY`",
  ),
  "not-permitted": row<{ roles: readonly string[] }>(
    403,
    ({ roles }) =>
      `this needs the role ${roles.join(" or ")}; ask the operator for a key of such a party`,
  ),
  "not-found": row<{ what: string; id: string }>(
    404,
    ({ what, id }) =>
      `there is no ${what} ${id} that you may see; list what there is and check the name`,
  ),
  "invalid-input": row<{ message: string }>(400, ({ message }) => message),
  "route-not-found": row<{ path: string }>(
    404,
    ({ path }) => `there is nothing at ${path}; /v1/openapi.json lists what there is`,
  ),
  "too-large": row<{ limitBytes: number }>(
    413,
    ({ limitBytes }) => `what was sent is larger than ${limitBytes} bytes; send less at once`,
  ),
  internal: row<{ requestId: string }>(
    500,
    ({ requestId }) =>
      `the server failed; try again, or ask its operator, whose log has the cause under request ${requestId}`,
  ),
  "storage-full": row<object>(
    507,
    () => "the server's disk is full; its operator must free some space, then try again",
  ),
  "not-ready": row<{ message: string }>(503, ({ message }) => `${message}; try again in a moment`),

  // Parties and money
  "name-taken": row<{ what: string; name: string }>(
    409,
    ({ what, name }) => `there is already a ${what} named ${name}; choose another name`,
  ),
  "funds-short": row<{ neededMicros: string; freeMicros: string; needed: string; free: string }>(
    402,
    ({ needed, free }) =>
      `this needs ${needed} and ${free} is free; ask the operator for a deposit or a higher credit line, or ask for less`,
  ),
  "cause-reused": row<{ cause: string }>(
    409,
    ({ cause }) => `${cause} was posted before with other content; use another id`,
  ),

  "withdrawal-too-large": row<{ party: string; free: string }>(
    409,
    ({ party, free }) =>
      `${party} has ${free} free; withdraw less, or wait until its leases have ended and are billed`,
  ),
  "payout-above-due": row<{ party: string; due: string }>(
    409,
    ({ party, due }) =>
      `${due} is due to ${party}; pay out that much or less (\`sublet account payouts\`)`,
  ),
  "not-reversible": row<{ transactionId: string; kind: string }>(409, ({ transactionId, kind }) =>
    kind === "bill"
      ? `${transactionId} is a bill's and stands; wait for the next bill, which puts right what is wrong with it`
      : `${transactionId} is itself a reversal; use \`sublet account deposit\` or \`withdraw\` to post anew what it took back`,
  ),
  "already-reversed": row<{ transactionId: string; reversedBy: string }>(
    409,
    ({ transactionId, reversedBy }) =>
      `${transactionId} was reversed by ${reversedBy} before; look at both with \`sublet account statement\``,
  ),
  "operator-fee-missing": row<object>(
    400,
    () => "all lenders together need a rate; give one like 2.5%, or name the lender with --lender",
  ),

  // Hosts
  "enrolment-token-invalid": row<object>(
    401,
    () => "this token is unknown, used or expired; make another with `sublet host add`",
  ),
  "host-has-less": row<{ host: string }>(
    409,
    ({ host }) =>
      `more is reserved on ${host} than it would have; end its leases or shrink its partitions first`,
  ),
  "host-not-enrolled": row<{ host: string }>(
    409,
    ({ host }) =>
      `no agent has joined as ${host} yet; start one with the token of \`sublet host add\``,
  ),
  "host-booked": row<{ host: string; leases: readonly { leaseId: string; period: string }[] }>(
    409,
    ({ host, leases }) =>
      `${host} is leased then: ${leases.map(({ leaseId, period }) => `${leaseId} (${period})`).join(", ")}; choose another time, or \`sublet host drain ${host}\` and wait for their end`,
  ),
  "agent-key-retired": row<{ host: string }>(
    401,
    ({ host }) =>
      `the agent of ${host} has another key by now; start it on the data folder that holds that key`,
  ),
  "host-has-leases": row<{ host: string; leases: readonly { leaseId: string; state: string }[] }>(
    409,
    ({ host, leases }) =>
      `${host} has open leases: ${leases.map(({ leaseId, state }) => `${leaseId} (${state})`).join(", ")}; \`sublet host drain ${host}\` and wait for their end, or, if it will never come back, remove it with --dead`,
  ),
  "host-alive": row<{ host: string; seenAt: string }>(
    409,
    ({ host, seenAt }) =>
      `${host} was heard at ${seenAt} and is not dead; \`sublet host drain ${host}\` and wait for the end of its leases, or stop its agent first`,
  ),
  "name-not-confirmed": row<{ name: string }>(
    409,
    ({ name }) =>
      `its leases would end and nothing would prove their wipe; to declare it dead type its name: --dead --confirm ${name}`,
  ),
  "host-removed": row<{ host: string }>(
    410,
    ({ host }) =>
      `${host} was removed by its lender; to lend this computer again, stop its agent, give it another --data folder and join with a new token of \`sublet host add\``,
  ),
  "capacity-exceeded": row<{ host: string; free: string }>(
    409,
    ({ host, free }) =>
      `${host} has not that much: ${free} is free; ask for less, or shrink another partition`,
  ),
  "minimums-exceed-base": row<{ host: string }>(
    409,
    ({ host }) =>
      `the minimums of the partitions of ${host} would exceed its base; lower a minimum`,
  ),

  // Partitions and offers
  "partition-in-use": row<{ partition: string; leaseId: string; until: string }>(
    409,
    ({ partition, leaseId, until }) =>
      `partition ${partition} is in use by ${leaseId} until ${until} and cannot change; wait for its end`,
  ),
  "managed-by-server": row<{ partition: string; serverUrl: string }>(
    409,
    ({ partition, serverUrl }) =>
      `partition ${partition} is cut by the server at ${serverUrl}; change it there with \`sublet partition set\``,
  ),
  "partition-has-guest": row<{ partition: string }>(
    409,
    ({ partition }) =>
      `partition ${partition} has a guest of its host's owner; remove it first with \`sublet partition wipe ${partition} --agent SOCKET\``,
  ),
  "no-own-guest": row<{ partition: string }>(
    409,
    ({ partition }) =>
      `partition ${partition} has no guest of its host's owner; start one with \`sublet partition start ${partition} --image FOLDER --ssh-key FILE --agent SOCKET\``,
  ),
  "partition-shape": row<{ code: string; message: string }>(400, ({ message }) => message),
  "partition-booked": row<{ partition: string; leaseId: string; start: string }>(
    409,
    ({ partition, leaseId, start }) =>
      `partition ${partition} is booked by ${leaseId} from ${start}; let that lease end or be cancelled first`,
  ),
  "not-lendable": row<{ partition: string }>(
    409,
    ({ partition }) => `partition ${partition} is not lendable; set it with --lendable first`,
  ),
  "internet-unsupported": row<{ host: string; reason: string }>(
    422,
    ({ host, reason }) =>
      `${host} cannot give guests the internet: ${reason}; see to that on the host and start its agent anew, or offer without --internet`,
  ),
  "size-outside-limits": row<{ message: string }>(400, ({ message }) => message),
  unsupported: row<{ what: string; instead: string }>(
    422,
    ({ what, instead }) => `${what} is not supported by this version; ${instead}`,
  ),

  // Images
  "image-unknown": row<{ os: string; known: readonly string[] }>(
    404,
    ({ os, known }) =>
      `there is no operating system ${os}; ${known.length === 0 ? "none is there yet: ask the operator for one (`sublet image add`)" : `choose ${known.join(" or ")}`}`,
  ),
  "blob-digest-wrong": row<{ expected: string; actual: string }>(
    422,
    ({ expected, actual }) =>
      `what arrived has digest ${actual} and not ${expected}; send it again`,
  ),
  "image-part-wrong": row<{ message: string }>(422, ({ message }) => message),
  "disk-references-files": row<{ message: string }>(422, ({ message }) => message),
  "disk-unreadable": row<{ message: string }>(422, ({ message }) => message),
  "blob-missing": row<{ digest: string }>(
    409,
    ({ digest }) => `part ${digest} is not on the file server; upload it first`,
  ),
  "image-exists": row<{ name: string; version: string }>(
    409,
    ({ name, version }) => `${name} ${version} exists with other content; give it another version`,
  ),

  // Leases
  "no-match": row<{ reasons: readonly string[] }>(
    409,
    ({ reasons }) =>
      `nothing on offer meets this: ${reasons.join("; ") || "nothing is on offer"}; \`sublet search\` tells more`,
  ),
  "price-changed": row<{ agreed: string; now: string }>(
    409,
    ({ agreed, now }) => `the price is now ${now} and not ${agreed}; search again and decide anew`,
  ),
  "just-taken": row<{ partition: string }>(
    409,
    ({ partition }) => `partition ${partition} was taken a moment ago; search again`,
  ),
  "lease-id-reused": row<{ leaseId: string }>(
    409,
    ({ leaseId }) => `${leaseId} was booked before with other content; use a new id`,
  ),
  "run-id-reused": row<{ runId: string }>(
    409,
    ({ runId }) => `${runId} was begun before with other content; use a new id`,
  ),
  "outputs-gone": row<{ leaseId: string; why: string }>(
    410,
    ({ leaseId, why }) =>
      `there are no outputs of ${leaseId} at the server (${why}); \`sublet run show\` tells more, run it again if you need them`,
  ),
  "extension-id-reused": row<{ extensionId: string }>(
    409,
    ({ extensionId }) => `${extensionId} was asked for before with other content; use a new id`,
  ),
  "extension-pending": row<{ leaseId: string; until: string }>(
    409,
    ({ leaseId, until }) =>
      `${leaseId} is being extended until ${until} already; wait until its host has acknowledged that, then extend it again`,
  ),
  "extension-unknown": row<{ leaseId: string; sequence: number }>(
    409,
    ({ leaseId, sequence }) =>
      `grant ${sequence} of ${leaseId} is not one that this server can take back; its host must look into it`,
  ),
  "lease-over": row<{ leaseId: string; state: string }>(
    409,
    ({ leaseId, state }) =>
      `${leaseId} is ${state} and cannot be extended; book another with \`sublet lease create\``,
  ),
  "lease-too-long": row<{ leaseId: string; most: string; until: string }>(
    409,
    ({ leaseId, most, until }) =>
      `${leaseId} was lent for ${most} at most, that is until ${until}; extend it by less, or book another`,
  ),
  "lease-outside-windows": row<{ leaseId: string; windows: string; until: string }>(
    409,
    ({ leaseId, windows, until }) =>
      `${leaseId} was lent ${windows} and can last until ${until} at most; extend it to no later than that, or book another`,
  ),
  "calendar-full": row<{ leaseId: string; partition: string; until: string | null }>(
    409,
    ({ leaseId, partition, until }) =>
      until === null
        ? `what ${partition} has is promised to others for part of that time; extend ${leaseId} by less, or book another partition`
        : `partition ${partition} is booked by another lease; ${leaseId} can last until ${until} at most: extend it by less, or book another partition`,
  ),
  "host-closed": row<{ leaseId: string; host: string; reason: string }>(
    409,
    ({ leaseId, host, reason }) =>
      `${leaseId} cannot last longer on ${host}: ${reason}; extend it by less, or book another partition`,
  ),
  "cost-above-limit": row<{ cost: string; limit: string }>(
    409,
    ({ cost, limit }) =>
      `this costs up to ${cost} more, and ${limit} was the limit; raise it or extend by less`,
  ),
  "lease-not-granted": row<{ leaseId: string }>(
    409,
    ({ leaseId }) =>
      `${leaseId} is not granted as far as this server knows; wait, it is told again when it is`,
  ),
  "grant-unknown": row<{ leaseId: string }>(
    409,
    ({ leaseId }) =>
      `what the host holds for ${leaseId} is not the grant of this booking; the host's owner must look into it`,
  ),
  "lease-not-ready": row<{ leaseId: string; state: string }>(
    409,
    ({ leaseId, state }) =>
      `${leaseId} is ${state}, there is no way in${state === "ended" || state === "ending" ? "; book another" : " yet; wait until it is ready"}`,
  ),
  "ticket-missing": row<object>(
    401,
    () => "the relay needs a ticket; ask for one at the lease's relay-tickets and send it",
  ),
  "ticket-unknown": row<object>(
    403,
    () => "there is no such ticket, or it is long over; ask for another",
  ),
  "ticket-used": row<object>(
    403,
    () => "this ticket has been used, and each opens one connection; ask for another",
  ),
  "ticket-expired": row<{ seconds: number }>(
    403,
    ({ seconds }) => `this ticket is older than ${seconds} s; ask for another and use it at once`,
  ),
  "ticket-of-other-lease": row<{ leaseId: string }>(
    403,
    ({ leaseId }) => `this ticket is not one for ${leaseId}; ask for one for that lease`,
  ),
  "ticket-of-other-key": row<object>(
    403,
    () => "this ticket was given to another key; ask for one with the key that you show",
  ),
  "too-many-tunnels": row<{ leaseId: string; most: number }>(
    429,
    ({ leaseId, most }) =>
      `${leaseId} has ${most} connections through the relay already; end some of them first`,
  ),
  "power-changed": row<{ leaseId: string; state: string; generation: number }>(
    409,
    ({ leaseId, state }) =>
      `the power of ${leaseId} was set to ${state} a moment ago; look at it and ask again`,
  ),
  "host-silent": row<{ host: string; seconds: number }>(
    504,
    ({ host, seconds }) =>
      `${host} did not answer within ${seconds} s; the lease goes on there, try again later`,
  ),
  "bill-not-closed": row<{ leaseId: string; state: string }>(
    409,
    ({ leaseId, state }) =>
      `${leaseId} is ${state} and has no bill yet; wait until the lease has ended, which closes it`,
  ),

  "nothing-used": row<{ leaseId: string; state: string }>(
    409,
    ({ leaseId, state }) =>
      `${leaseId} is ${state} and was never granted, so nothing of it was used; look again when it has begun`,
  ),
  "export-too-large": row<{ leasesMax: number }>(
    422,
    ({ leasesMax }) =>
      `there are more than ${leasesMax} leases, or hosts with capacity, in that time; ask for less of it with --from and --to`,
  ),

  // Bills that are sent
  "delivery-targets-too-many": row<{ most: number }>(
    409,
    ({ most }) =>
      `bills go to ${most} addresses at most; take one away with \`sublet bill deliver --webhook URL --off\``,
  ),
  "delivery-target-off": row<{ address: string; reason: string }>(
    409,
    ({ address, reason }) =>
      `nothing is sent to ${address} (${reason}); turn it on again with \`sublet bill deliver\` and this address`,
  ),
  "mail-not-configured": row<object>(
    409,
    () =>
      "this server sends no mail; ask its operator to start it with --smtp and --mail-from, or give a --webhook",
  ),
  "webhook-refused": row<{ url: string; reason: string }>(
    422,
    ({ url, reason }) =>
      `nothing is sent to ${url}: ${reason}; give a public https address, or ask the operator, who can allow others with --allow-private-webhooks`,
  ),
  "mail-address-refused": row<{ address: string; reason: string }>(
    422,
    ({ address, reason }) => `nothing is sent to ${address}: ${reason}; give one that is`,
  ),
  "no-secret": row<{ address: string }>(
    409,
    ({ address }) => `mail to ${address} is not signed; give a --webhook, which has a secret`,
  ),

  // What agents send
  "signature-refused": row<{ code: string; message: string }>(
    422,
    ({ code, message }) =>
      `the signature was refused (${code}): ${message}; whoever signed it must look into it`,
  ),
  "record-conflict": row<{ chainId: string; seq: number }>(
    409,
    ({ chainId, seq }) =>
      `record ${seq} of ${chainId} exists with other content; the host's owner must look into it`,
  ),
  "record-refused": row<{ chainId: string; seq: number; message: string }>(
    422,
    ({ chainId, seq, message }) =>
      `record ${seq} of ${chainId} was refused: ${message}; the host's owner must look into it`,
  ),
  ...CAPACITY_REFUSALS,
} as const satisfies Record<string, Row<never>>;

export type RefusalCode = keyof typeof REFUSALS;
export type RefusalDetail<C extends RefusalCode> = Parameters<(typeof REFUSALS)[C]["sentence"]>[0];
