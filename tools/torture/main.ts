import { parseArgs } from "node:util";
import { torture } from "./torture.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    seconds: { type: "string", default: "120" },
    logs: { type: "string" },
  },
});
const seed = Number(values.seed);
const seconds = Number(values.seconds);
if (!Number.isSafeInteger(seed) || !(seconds > 0)) {
  process.stderr.write("usage: npm run torture -- --seed 7 --seconds 120 [--logs FOLDER]\n");
  process.exit(2);
}
const since = performance.now();
const tell = (line: string) => {
  const at = ((performance.now() - since) / 1000).toFixed(1).padStart(6);
  process.stdout.write(`${at} s  ${line}\n`);
};
tell(`seed ${seed}, ${seconds} seconds`);
const { leases, records, bills, kills, faults } = await torture({
  ...{ seed, seconds, tell },
  ...(values.logs === undefined ? {} : { logsFolder: values.logs }),
});
tell(
  `${leases} leases; ${records} records and ${bills} bills of capacity; killed: ${JSON.stringify(kills)}`,
);
for (const fault of faults) tell(`FAULT: ${fault}`);
tell(faults.length === 0 ? "everything holds" : `run it again with --seed ${seed}`);
process.exitCode = faults.length === 0 ? 0 : 1;
