import { createHash, verify } from "node:crypto";
import { publicKeyObject, thumbprint } from "./key.ts";

/** What `ssh-keygen -Y sign` writes (OpenSSH, PROTOCOL.sshsig), for Ed25519 keys alone. */
export type SshSignature = { readonly ok: true } | { readonly ok: false; readonly message: string };

export interface SshSigned {
  readonly armored: string;
  readonly message: string;
  readonly namespace: string;
  /** One line of authorized_keys, without options. */
  readonly publicKeyLine: string;
}

/** Is `message` signed in this namespace by the key of the line? */
export function verifySshSignature(signed: SshSigned): SshSignature {
  const { armored, message, namespace, publicKeyLine } = signed;
  const body = /-----BEGIN SSH SIGNATURE-----([\sA-Za-z0-9+/=]+)-----END SSH SIGNATURE-----/.exec(
    armored,
  )?.[1];
  if (body === undefined) return no("it is no signature of ssh-keygen -Y sign");
  const fields = readFields(Buffer.from(body.replace(/\s+/g, ""), "base64"));
  if (fields === null) return no("the signature is cut off or damaged");
  if (fields.namespace !== namespace) {
    return no(`it was signed for "${fields.namespace}" and not with -n ${namespace}`);
  }
  const wanted = ed25519Of(Buffer.from(publicKeyLine.trim().split(/\s+/)[1] ?? "", "base64"));
  if (wanted === null) return no("the lease's key is not an Ed25519 key, and only such count here");
  const made = ed25519Of(fields.publicKey);
  if (made === null || !made.equals(wanted)) return no("it was signed with another key");
  if (fields.hash !== "sha512" && fields.hash !== "sha256") return no("its hash is not known here");
  const digest = createHash(fields.hash).update(message).digest();
  const blob = Buffer.concat([
    Buffer.from(MAGIC),
    ...[namespace, fields.reserved, fields.hash, digest].map(asString),
  ]);
  const [kind, bytes] = readStrings(fields.signature, 2) ?? [];
  if (kind?.toString() !== KEY_KIND || bytes?.length !== 64) return no("it is not by Ed25519");
  const x = wanted.toString("base64url");
  const key = publicKeyObject({ kty: "OKP", crv: "Ed25519", x, kid: thumbprint({ x }) });
  return verify(null, blob, key, bytes) ? { ok: true } : no("it is for another text");
}

const MAGIC = "SSHSIG";
const KEY_KIND = "ssh-ed25519";
const VERSION = 1;

function readFields(blob: Buffer) {
  if (blob.subarray(0, MAGIC.length).toString() !== MAGIC || blob.length < 10) return null;
  if (blob.readUInt32BE(MAGIC.length) !== VERSION) return null;
  const strings = readStrings(blob.subarray(MAGIC.length + 4), 5);
  if (strings === null) return null;
  const [publicKey, namespace, reserved, hash, signature] = strings;
  if (!publicKey || !namespace || !reserved || !hash || !signature) return null;
  return {
    ...{ publicKey, signature, reserved },
    ...{ namespace: namespace.toString(), hash: hash.toString() },
  };
}

/** The 32 bytes of an Ed25519 key in SSH's form. */
function ed25519Of(blob: Buffer): Buffer | null {
  const [kind, bytes] = readStrings(blob, 2) ?? [];
  return kind?.toString() === KEY_KIND && bytes?.length === 32 ? bytes : null;
}

/** Exactly so many strings, each after its length, and nothing more. */
function readStrings(blob: Buffer, count: number): Buffer[] | null {
  const strings: Buffer[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + 4 > blob.length) return null;
    const length = blob.readUInt32BE(at);
    if (at + 4 + length > blob.length) return null;
    strings.push(blob.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return at === blob.length ? strings : null;
}

function asString(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value as string);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function no(message: string): SshSignature {
  return { ok: false, message };
}
