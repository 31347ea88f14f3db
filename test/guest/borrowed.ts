import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { AgentState } from "../../src/agent/show-state.ts";
import type { Response } from "../../src/api/contract/contract.ts";
import type { UsageExport } from "../../src/billing/export.ts";
import { createQemuDriver } from "../../src/partition/qemu/driver.ts";
import type { Lease, Market } from "./market.ts";
import type { Ran, RunOptions } from "./sublet.ts";

/** A lease of a market, and all that the tests ask about it. */
export interface Borrowed {
  readonly lease: Lease;
  /** `sublet run`, with more of our options when there are some. */
  run(command: string[], options?: RunOptions, more?: string[]): Promise<Ran>;
  copy(from: string, to: string): Promise<Ran>;
  /** As read inside the guest. */
  bootId(): Promise<string>;
  /** Of QEMU on this host. */
  guestPid(): Promise<number>;
  shown(): Promise<Response<"showLease">>;
  partition(): Promise<Response<"setPartition">>;
  account(): Promise<Response<"showAccount">>;
  agentState(): Promise<AgentState>;
  exportBill(): Promise<{ readonly exported: UsageExport; readonly file: string }>;
  verifyBill(billOrFile: string): Promise<Ran>;
}

export function borrowed(market: Market, lease: Lease): Borrowed {
  const { verbs, agentSocket, guestsFolder, folder } = market;
  const asClient = ["--as", "client"];
  const shown: Borrowed["shown"] = () => verbs.do("lease", "show", lease.leaseId, ...asClient);
  const run: Borrowed["run"] = (command, options = {}, more = []) =>
    market.sublet(
      ["run", "--lease", lease.leaseId, ...asClient, ...more, "--", ...command],
      options,
    );
  return {
    lease,
    run,
    copy: (from, to) => market.sublet(["cp", from, to, ...asClient]),
    bootId: async () => {
      const { stdout, stderr } = await run(["cat /proc/sys/kernel/random/boot_id"]);
      if (/^[0-9a-f-]{36}\n$/.test(stdout)) return stdout.trim();
      throw new Error(`the guest did not say its boot id: ${stdout}${stderr}`);
    },
    guestPid: async () => {
      const driver = createQemuDriver({ folder: guestsFolder, log: () => undefined });
      const { processId } = await driver.observe(lease.leaseId);
      return Number(processId?.split(":")[1]);
    },
    shown,
    partition: () => verbs.do("partition", "show", "h1", "lend", "--as", "lender"),
    account: () => verbs.do("account", "show", ...asClient),
    agentState: () => verbs.do("host", "show", "--agent", agentSocket),
    exportBill: async () => {
      const file = join(folder, "bill.json");
      const billId = (await shown()).lease.billId ?? "none";
      await verbs.do("usage", "export", "--bill", billId, "-o", file, ...asClient);
      return { exported: JSON.parse(await readFile(file, "utf8")), file };
    },
    verifyBill: (billOrFile) =>
      market.sublet(["bill", "verify", billOrFile, "--json", ...asClient]),
  };
}
