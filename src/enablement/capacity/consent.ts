import { verifySshSignature } from "../../signature/sshsig.ts";
import type { CapacityResource } from "./resource.ts";

/** What the client of a lease agrees to: that its guest is given more, by one code. */
export interface Consented {
  readonly leaseId: string;
  readonly resource: CapacityResource;
  /** milliCores or bytes. */
  readonly quantity: number;
  readonly codeId: string;
}

export const CONSENT_NAMESPACE = "sublet-consent";

/** One line, without an end of line: what is signed must be what was shown. */
export function consentStatement({ leaseId, resource, quantity, codeId }: Consented): string {
  return `consent: lease ${leaseId} resource ${resource} quantity ${quantity} code ${codeId}`;
}

/** Did the client of the lease, by the key in its grant, agree to exactly this? */
export function checkConsent(consented: Consented, armored: string, clientKey: string) {
  const statement = consentStatement(consented);
  // Written by an editor or `echo`, the text has an end of line, and without them it has none.
  const tries = [statement, `${statement}\n`].map((message) =>
    verifySshSignature({
      ...{ armored, message, namespace: CONSENT_NAMESPACE },
      publicKeyLine: clientKey,
    }),
  );
  return tries.find((one) => one.ok) ?? tries[0] ?? { ok: false as const, message: "none" };
}
