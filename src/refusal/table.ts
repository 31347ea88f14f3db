interface Row<D> {
  readonly httpStatus: number;
  /** One sentence that says what to do about it. */
  readonly sentence: (detail: D) => string;
}
const row = <D>(httpStatus: number, sentence: (detail: D) => string): Row<D> => ({
  httpStatus,
  sentence,
});

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
    ({ requestId }) => `the server failed; its log has the cause under request ${requestId}`,
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
      `this needs ${needed} and ${free} is free; ask the operator for a deposit, or ask for less`,
  ),
  "cause-reused": row<{ cause: string }>(
    409,
    ({ cause }) => `${cause} was posted before with other content; use another id`,
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
  "partition-booked": row<{ partition: string; leaseId: string; start: string }>(
    409,
    ({ partition, leaseId, start }) =>
      `partition ${partition} is booked by ${leaseId} from ${start}; let that lease end or be cancelled first`,
  ),
  "not-lendable": row<{ partition: string }>(
    409,
    ({ partition }) => `partition ${partition} is not lendable; set it with --lendable first`,
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
      `there is no operating system ${os}; there ${known.length === 1 ? "is" : "are"} ${known.join(", ") || "none yet (`sublet image add`)"}`,
  ),
  "blob-digest-wrong": row<{ expected: string; actual: string }>(
    422,
    ({ expected, actual }) =>
      `what arrived has digest ${actual} and not ${expected}; send it again`,
  ),
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
  "lease-not-ready": row<{ leaseId: string; state: string }>(
    409,
    ({ leaseId, state }) =>
      `${leaseId} is ${state}, there is no way in${state === "ended" || state === "ending" ? "; book another" : " yet; wait until it is ready"}`,
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
  "lease-not-granted": row<{ leaseId: string }>(
    409,
    ({ leaseId }) => `${leaseId} was not granted to this host yet; report it once it has been`,
  ),
  "bill-not-closed": row<{ leaseId: string; state: string }>(
    409,
    ({ leaseId, state }) =>
      `${leaseId} is ${state} and has no bill yet; it closes when the lease has ended`,
  ),

  // What agents send
  "signature-refused": row<{ code: string; message: string }>(
    422,
    ({ code, message }) => `the signature was refused (${code}): ${message}`,
  ),
  "record-conflict": row<{ chainId: string; seq: number }>(
    409,
    ({ chainId, seq }) =>
      `record ${seq} of ${chainId} exists with other content; the host's owner must look into it`,
  ),
  "record-refused": row<{ chainId: string; seq: number; message: string }>(
    422,
    ({ chainId, seq, message }) => `record ${seq} of ${chainId} was refused: ${message}`,
  ),
} as const satisfies Record<string, Row<never>>;

export type RefusalCode = keyof typeof REFUSALS;
export type RefusalDetail<C extends RefusalCode> = Parameters<(typeof REFUSALS)[C]["sentence"]>[0];
