import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { makeTempFolder } from "../setup/temp-folder.ts";

const run = promisify(execFile);

/** A certificate for `localhost` that no public authority knows. */
export async function makeCertificate(): Promise<{ key: string; cert: string }> {
  const folder = makeTempFolder("certificate");
  const [key, cert] = [join(folder.path, "key.pem"), join(folder.path, "cert.pem")];
  await run("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
    ...["-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost"],
    ...["-addext", "subjectAltName=DNS:localhost"],
  ]);
  const made = { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
  folder.remove();
  return made;
}
