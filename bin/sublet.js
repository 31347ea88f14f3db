#!/usr/bin/env node
// Runs Sublet on the Node that it needs. This file itself runs on any Node from 18 on.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const NODE_NEEDED = [24, 11];
const FORWARDED = ["SIGINT", "SIGTERM", "SIGHUP"];

const home = dirname(dirname(fileURLToPath(import.meta.url)));
const source = join(home, "src", "cli", "main.ts");
const main = existsSync(source) ? source : join(home, "dist", "src", "cli", "main.js");

if (isNewEnough(process.version)) await import(pathToFileURL(main).href);
else {
  const node = bundledNode();
  if (node === undefined) {
    process.stderr.write(
      `sublet: this needs Node ${NODE_NEEDED.join(".")} and here is ${process.version}; run \`npm install\` in ${home}, which brings it\n`,
    );
    process.exitCode = 1;
  } else runOn(node);
}

function isNewEnough(version) {
  const [major, minor] = version.slice(1).split(".").map(Number);
  return major > NODE_NEEDED[0] || (major === NODE_NEEDED[0] && minor >= NODE_NEEDED[1]);
}

/** Node's own binary as an optional dependency: npm installed the one for this machine, or none. */
function bundledNode() {
  const name = `node-${process.platform}-${process.arch}`;
  try {
    const manifest = createRequire(import.meta.url).resolve(`${name}/package.json`);
    const node = join(dirname(manifest), "bin", "node");
    return existsSync(node) ? node : undefined;
  } catch (error) {
    if (error.code === "MODULE_NOT_FOUND") return undefined;
    throw error;
  }
}

/**
 * The child is this process to everybody: its terminal, its signals, its end. Over the extra pipe
 * it sees when this process is gone, even by SIGKILL, and ends as well.
 */
function runOn(node) {
  const child = spawn(node, [main, ...process.argv.slice(2)], {
    stdio: ["inherit", "inherit", "inherit", "pipe"],
    env: { ...process.env, SUBLET_LAUNCHER_FD: "3" },
  });
  for (const signal of FORWARDED) process.on(signal, () => child.kill(signal));
  // Nothing is ever sent; that it breaks with the child is told by `exit`.
  child.stdio[3].on("error", () => child.stdio[3].destroy());
  child.once("error", (error) => {
    process.stderr.write(`sublet: ${node} cannot be run: ${error.message}\n`);
    process.exit(1);
  });
  child.once("exit", (code, signal) => {
    if (signal === null) process.exit(code);
    for (const one of FORWARDED) process.removeAllListeners(one);
    process.kill(process.pid, signal);
  });
}
