import { row } from "./row.ts";

/** What the agent refuses of enabled capacity, at its socket. */
export const CAPACITY_REFUSALS = {
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
      `${serviceId} had to be given back and was not; return it (\`sublet capacity return\`, or restart its guest), then ask again`,
  ),
  "capacity-unreported": row<{ providerId: string }>(
    409,
    ({ providerId }) =>
      `too much use is unreported to ${providerId}; write a report with \`sublet usage export\`, have the provider take it, and import its receipts`,
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
} as const;
