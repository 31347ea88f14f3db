import { closeSync, copyFileSync, fstatSync, ftruncateSync, openSync, readSync } from "node:fs";

export interface LogFile {
  /** Append-only: PostgreSQL writes here itself, so its last words outlive this process. */
  readonly fd: number;
  readonly path: string;
  /** The last lines, for a sentence about what went wrong. */
  tail(bytes: number): string;
  close(): void;
}

/** With its one predecessor `.1` a log takes at most about twice this. */
const LOG_MOST_BYTES = 8 * 1024 * 1024;
const CHECK_EVERY_MS = 60_000;

/**
 * PostgreSQL's log, bounded: when it is full it is copied aside and emptied in place, since the
 * server holds the file open. Lines written between copy and truncation are lost; that is a log.
 */
export function openLogFile(path: string): LogFile {
  const fd = openSync(path, "a+", 0o600);
  const bound = () => {
    if (fstatSync(fd).size < LOG_MOST_BYTES) return;
    copyFileSync(path, `${path}.1`);
    ftruncateSync(fd);
  };
  bound();
  const timer = setInterval(bound, CHECK_EVERY_MS);
  timer.unref();
  return {
    fd,
    path,
    tail: (bytes) => readTail(fd, bytes),
    close: () => {
      clearInterval(timer);
      closeSync(fd);
    },
  };
}

function readTail(fd: number, bytes: number): string {
  const { size } = fstatSync(fd);
  const buffer = Buffer.alloc(Math.min(bytes, size));
  readSync(fd, buffer, 0, buffer.length, size - buffer.length);
  return buffer.toString("utf8");
}
