/**
 * The public line of an OpenSSH private key, which carries it in the clear (PROTOCOL.key of
 * OpenSSH's sources): after the magic, three strings about encryption, and a count of one.
 */
export function publicLineOf(privateText: string): string {
  const body = privateText.replace(/-----[A-Z ]+-----|\s/g, "");
  const bytes = Buffer.from(body, "base64");
  if (bytes.toString("latin1", 0, MAGIC.length) !== MAGIC) {
    throw new Error("the host key is not in OpenSSH's format");
  }
  let at = MAGIC.length;
  const next = () => {
    const length = bytes.readUInt32BE(at);
    at += 4 + length;
    return bytes.subarray(at - length, at);
  };
  for (const _ of ["cipher", "kdf", "kdf options"]) next();
  at += 4;
  const blob = next();
  const type = blob.toString("latin1", 4, 4 + blob.readUInt32BE(0));
  return `${type} ${blob.toString("base64")}`;
}

const MAGIC = "openssh-key-v1\0";
