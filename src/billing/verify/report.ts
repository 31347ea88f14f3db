import type { z } from "zod";
import { verify } from "../../signature/envelope.ts";
import type { KeyRing } from "../../signature/key.ts";
import type { SignedType } from "../../signature/type.ts";
import { type Finding, type FindingCode, finding, type SignedPart } from "./finding.ts";

/** Collects what the checks find, and what held. */
export class Report {
  readonly findings: Finding[] = [];
  readonly #held = new Map<string, boolean>();
  #place = "";

  /** What held wherever it was looked for. */
  get checked(): readonly string[] {
    return [...this.#held].filter(([, holds]) => holds).map(([shows]) => shows);
  }

  /** Where what follows is found: in an export of several leases, which of them. */
  enter(place: string): void {
    this.#place = place;
  }

  add(code: FindingCode, where: string, message: string): void {
    this.findings.push(finding(code, this.#place + where, message));
  }

  /** Adds the finding unless `holds`. */
  require(holds: boolean, code: FindingCode, where: string, message: string): void {
    if (!holds) this.add(code, where, message);
  }

  /** Runs a check; states what it shows when it finds nothing, here and everywhere else. */
  check<T>(shows: string, run: () => T): T {
    const before = this.findings.length;
    const result = run();
    const holds = this.findings.length === before;
    this.#held.set(shows, holds && (this.#held.get(shows) ?? true));
    return result;
  }

  /** The payload of a signed text, or null after saying why it does not count. */
  open<T>(part: SignedPart, where: string, input: SignedText<T>): T | null {
    const verified = verify(input);
    if (verified.ok) return verified.payload;
    this.add(`${part}-${verified.code}`, where, verified.message);
    return null;
  }
}

interface SignedText<T> {
  readonly jws: string;
  readonly typ: SignedType;
  readonly keys: KeyRing;
  readonly schema: z.ZodType<T>;
}
