import { generateKeyPairSync, randomBytes } from "node:crypto";

export interface HostKey {
  /** OpenSSH private key text. Secret. */
  readonly privateText: string;
  /** `ssh-ed25519 AAAA…` */
  readonly publicLine: string;
}

const TYPE = "ssh-ed25519";
const BLOCK_BYTES = 8;

/** An SSH host key for one lease, in OpenSSH's own format (PROTOCOL.key of its sources). */
export function generateHostKey(): HostKey {
  const jwk = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
  const seed = Buffer.from(jwk.d ?? "", "base64url");
  const point = Buffer.from(jwk.x ?? "", "base64url");
  const publicBlob = Buffer.concat([string(TYPE), string(point)]);
  // Two equal words tell a reader that it has decrypted rightly; nothing is encrypted here.
  const check = randomBytes(4);
  const secret = [check, check, publicBlob, string(Buffer.concat([seed, point])), string("")];
  const whole = Buffer.concat([
    Buffer.from("openssh-key-v1\0"),
    string("none"),
    string("none"),
    string(""),
    number(1),
    string(publicBlob),
    string(padded(Buffer.concat(secret))),
  ]);
  const lines = whole.toString("base64").match(/.{1,70}/g) ?? [];
  return {
    privateText: [
      "-----BEGIN OPENSSH PRIVATE KEY-----",
      ...lines,
      "-----END OPENSSH PRIVATE KEY-----",
      "",
    ].join("\n"),
    publicLine: `${TYPE} ${publicBlob.toString("base64")}`,
  };
}

function padded(bytes: Buffer): Buffer {
  const count = (BLOCK_BYTES - (bytes.length % BLOCK_BYTES)) % BLOCK_BYTES;
  return Buffer.concat([bytes, Buffer.from(Array.from({ length: count }, (_, i) => i + 1))]);
}

function string(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([number(bytes.length), bytes]);
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
