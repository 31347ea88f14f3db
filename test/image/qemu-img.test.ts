import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readDiskHeader } from "../../src/image/disk-header.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";

test("a disk that qemu-img made to refer to another file is refused, and a whole one is not", () => {
  const { path: folder, remove } = makeTempFolder("qemu-img");
  try {
    const make = (name: string, ...options: string[]) => {
      const path = join(folder, name);
      execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", ...options, path, "64M"]);
      const bytes = readFileSync(path);
      return readDiskHeader(bytes, bytes.length, "qcow2");
    };
    expect(make("whole")).toEqual({ ok: true, virtualBytes: 64 * 2 ** 20 });
    expect(make("zstd", "-o", "compression_type=zstd")).toMatchObject({ ok: true });
    const backed = make("backed", "-u", "-b", "/etc/shadow", "-F", "raw");
    expect(backed).toMatchObject({ code: "disk-references-files" });
    const outside = make("outside", "-o", `data_file=${join(folder, "data")}`);
    expect(outside).toMatchObject({ code: "disk-references-files" });
  } finally {
    remove();
  }
});
