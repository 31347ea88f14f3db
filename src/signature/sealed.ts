import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
} from "node:crypto";

/**
 * Content that only one key opens: X25519 with a key made for this content alone, HKDF-SHA256, and
 * AES-256-GCM over all of it. `about` (an id) is bound in: sealed for one thing, it does not open as
 * another. The layout: a mark, the maker's public key, the encrypted content, the tag.
 */
const MARK = Buffer.from("SLS1");
const KEY_BYTES = 32;
export const SEALED_HEAD_BYTES = MARK.length + KEY_BYTES;
export const SEALED_TAG_BYTES = 16;

export interface SealKeys {
  /** X25519, base64url. */
  readonly publicKey: string;
  /** Secret. */
  readonly privateKey: string;
}

export function generateSealKeys(): SealKeys {
  const { x = "", d = "" } = generateKeyPairSync("x25519").privateKey.export({ format: "jwk" });
  return { publicKey: x, privateKey: d };
}

export interface Sealing {
  /** Comes before everything else. */
  readonly head: Buffer;
  add(content: Buffer): Buffer;
  end(): Buffer;
}

export function sealFor(publicKey: string, about: string): Sealing {
  const own = generateKeyPairSync("x25519");
  const ownX = own.publicKey.export({ format: "jwk" }).x ?? "";
  const secret = diffieHellman({ privateKey: own.privateKey, publicKey: publicOf(publicKey) });
  const { key, iv } = derive(secret, ownX, publicKey);
  const cipher = createCipheriv("aes-256-gcm", key, iv).setAAD(Buffer.from(about));
  return {
    head: Buffer.concat([MARK, Buffer.from(ownX, "base64url")]),
    add: (content) => cipher.update(content),
    end: () => Buffer.concat([cipher.final(), cipher.getAuthTag()]),
  };
}

export interface Unsealing {
  add(sealed: Buffer): Buffer;
  /** Throws unless all that was added is what was sealed: before it returns nothing is sure. */
  end(): void;
}

/** Throws `SealError` when the head is not one of ours. */
export function unseal(keys: SealKeys, about: string, head: Buffer, tag: Buffer): Unsealing {
  if (head.length !== SEALED_HEAD_BYTES || !head.subarray(0, MARK.length).equals(MARK)) {
    throw new SealError("this is not something that was sealed");
  }
  const makerX = head.subarray(MARK.length).toString("base64url");
  const jwk = { kty: "OKP", crv: "X25519", x: keys.publicKey, d: keys.privateKey };
  const privateKey = createPrivateKey({ key: jwk, format: "jwk" });
  const secret = diffieHellman({ privateKey, publicKey: publicOf(makerX) });
  const { key, iv } = derive(secret, makerX, keys.publicKey);
  const decipher = createDecipheriv("aes-256-gcm", key, iv, { authTagLength: SEALED_TAG_BYTES });
  decipher.setAAD(Buffer.from(about)).setAuthTag(tag);
  return {
    add: (sealed) => decipher.update(sealed),
    end: () => {
      try {
        decipher.final();
      } catch (cause) {
        throw new SealError("what arrived is not what was sealed for this key", { cause });
      }
    },
  };
}

export class SealError extends Error {
  override name = "SealError";
}

function publicOf(x: string): KeyObject {
  return createPublicKey({ key: { kty: "OKP", crv: "X25519", x }, format: "jwk" });
}

/** Both public keys take part, so that neither can be exchanged. One key, one content: one nonce. */
function derive(secret: Buffer, makerX: string, takerX: string): { key: Buffer; iv: Buffer } {
  const salt = Buffer.concat([makerX, takerX].map((x) => Buffer.from(x, "base64url")));
  const bytes = Buffer.from(hkdfSync("sha256", secret, salt, "sublet-outputs", KEY_BYTES + 12));
  return { key: bytes.subarray(0, KEY_BYTES), iv: bytes.subarray(KEY_BYTES) };
}
