import { createQemuDriver } from "../../src/partition/qemu/driver.ts";

/**
 * One question to a driver that is made for it and gone after it, in the network namespace that
 * this process was started in: `node internet-driver.ts FOLDER METHOD ARGUMENT [UID]`.
 */
const [folder = "", method = "", given = "null", uid] = process.argv.slice(2);
if (uid !== undefined) {
  process.setgid?.(Number(uid));
  process.setuid?.(Number(uid));
}
const log = (line: string) => process.stderr.write(`${line}\n`);
const driver = createQemuDriver({ folder, log, accelerator: "tcg", resolvers: ["9.9.9.9"] });
const argument = JSON.parse(given);
const answer = await ask().catch((error: unknown) => {
  const { code, message } = error as { code?: string; message: string };
  return { failed: code ?? "unnamed", message };
});
const text = JSON.stringify(answer ?? null, (_key, value: unknown) =>
  typeof value === "bigint" ? String(value) : value,
);
process.stdout.write(text);

function ask(): Promise<unknown> {
  switch (method) {
    case "probe":
      return driver.probe();
    case "boot":
      return driver.boot(argument);
    case "answers":
      return driver.answers(argument, 300);
    case "observe":
      return driver.observe(argument);
    case "stop":
      return driver.stop(argument, 0);
    case "wipe":
      return driver.wipe(argument);
    default:
      throw new Error(`there is no ${method}`);
  }
}
