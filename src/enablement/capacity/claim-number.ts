import { randomInt } from "node:crypto";

/**
 * A short number that fetches a code once: four groups of four characters of Crockford's base 32
 * and one check character each, such as `7H2KX-…`: 80 random bits. The check character tells which
 * group is wrong, for every single wrong character and every swap of two neighbours.
 */
const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const GROUPS = 4;
const GROUP_CHARACTERS = 4;

export function newClaimNumber(): string {
  return Array.from({ length: GROUPS }, () => {
    const digits = Array.from({ length: GROUP_CHARACTERS }, () => randomInt(ALPHABET.length));
    return [...digits, checkOf(digits)].map((digit) => ALPHABET.charAt(digit)).join("");
  }).join("-");
}

export type ClaimNumberRead =
  | { readonly ok: true; readonly number: string }
  | { readonly ok: false; readonly message: string };

/** Small letters, blanks and missing hyphens are forgiven; I, L and O are read as 1, 1 and 0. */
export function readClaimNumber(typed: string): ClaimNumberRead {
  const text = typed.toUpperCase().replace(/[\s-]/g, "").replace(/[IL]/g, "1").replace(/O/g, "0");
  const length = GROUPS * (GROUP_CHARACTERS + 1);
  const strange = [...text].find((character) => !ALPHABET.includes(character));
  if (strange !== undefined) {
    return no(
      `a claim number has no "${strange}"; it has digits and letters without I, L, O and U`,
    );
  }
  if (text.length !== length) {
    return no(
      `a claim number has ${length} characters in ${GROUPS} groups, and this has ${text.length}`,
    );
  }
  const groups = text.match(/.{5}/g) ?? [];
  const wrong = groups.findIndex((group) => !isWhole(group));
  if (wrong >= 0) {
    return no(
      `group ${wrong + 1}, ${groups[wrong]}, is mistyped; compare it with what you were given`,
    );
  }
  return { ok: true, number: groups.join("-") };
}

function isWhole(group: string): boolean {
  const digits = [...group].map((character) => ALPHABET.indexOf(character));
  return checkOf(digits.slice(0, GROUP_CHARACTERS)) === digits[GROUP_CHARACTERS];
}

/**
 * A sum in the field of 32 elements with the weights 1, a, a², a³: since the weights differ and none
 * is zero, a single error and a swap of two unlike characters both change it. The check character's
 * own weight is one that none of the four has.
 */
function checkOf(digits: readonly number[]): number {
  let sum = 0;
  for (const digit of digits) sum = times2(sum ^ digit);
  return sum;
}

/** Multiplication by the generator a of GF(32) = GF(2)[a] / (a⁵ + a² + 1). */
function times2(value: number): number {
  const doubled = value << 1;
  return doubled & 32 ? (doubled ^ 37) & 31 : doubled;
}

function no(message: string): ClaimNumberRead {
  return { ok: false, message };
}
