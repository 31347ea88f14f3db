/**
 * The bytes of a base64url text, or null when the text is not the one that these bytes encode to.
 * Node skips what it does not know and ignores the spare bits of the last character, so an altered
 * text can decode to the same bytes; comparing with the encoding of the result leaves no such text.
 */
export function decodeBase64urlStrictly(text: string): Buffer | null {
  const bytes = Buffer.from(text, "base64url");
  return bytes.toString("base64url") === text ? bytes : null;
}
