/**
 * What the system refused, as a sentence with the way out. The system's own words are `EACCES:
 * permission denied, open '/srv/x'`, which say what and not what to do.
 */
export function systemFailure(error: unknown): { code: string; message: string } | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code = "", path, port, address } = error as Partial<Refused>;
  const what = path ?? "what it needs";
  switch (code) {
    case "ENOENT":
      return path === undefined
        ? undefined
        : told("file-missing", `${what} is not there; check the path`);
    case "EACCES":
    case "EPERM":
      if (port !== undefined) {
        return told(
          "port-not-permitted",
          `this user may not listen on port ${port}; choose one from 1024 on with --listen, or put a reverse proxy in front`,
        );
      }
      return told(
        "file-not-permitted",
        `this user may not use ${what}; run it as the user that owns it, or name another with --data or the option that it came from`,
      );
    case "EROFS":
      return told("file-not-permitted", `${what} is on a read-only file system; name another`);
    case "EISDIR":
      return told("file-unreadable", `${what} is a folder; name a file`);
    case "ENOTDIR":
      return told("file-unreadable", `${what} goes through a file; name a folder`);
    case "ENOSPC":
    case "EDQUOT":
      return told("disk-full", `the disk is full at ${what}; make room, then try again`);
    case "EADDRINUSE":
      return told(
        "port-in-use",
        `${address ?? ""}:${port ?? ""} is in use by another program; stop that, or choose another with --listen ADDRESS:PORT`,
      );
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return told(
        "address-not-here",
        `this computer has no address ${address ?? ""}; listen on one of its own, or on 0.0.0.0 for all`,
      );
    default:
      return undefined;
  }
}

interface Refused {
  readonly code: string;
  readonly path: string;
  readonly port: number;
  readonly address: string;
}

function told(code: string, message: string) {
  return { code, message };
}
