#!/usr/bin/env node
// Installs what is missing, then runs a command of the project on the Node that the project brings.
// Plain JavaScript for the Node that a fresh machine has (18 or newer); everything else needs what
// this installs. Usage: node tools/bootstrap.js demo|test|check|torture|schema|small-linux|debian-12
// [arguments]
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** A program that must be there, and the Debian package that brings it. */
const PROGRAMS = [
  [process.arch === "arm64" ? "qemu-system-aarch64" : "qemu-system-x86_64", qemuPackage()],
  ["ssh", "openssh-client"],
  ["scp", "openssh-client"],
  ["ssh-keygen", "openssh-client"],
  ["mkfs.ext4", "e2fsprogs"],
  ["setpriv", "util-linux"],
  ["unshare", "util-linux"],
  ["flock", "util-linux"],
  ["taskset", "util-linux"],
  ["prlimit", "util-linux"],
  ["xz", "xz-utils"],
  ["dpkg", "dpkg"],
  ["qemu-img", "qemu-utils"],
  ["ip", "iproute2"],
  ["nft", "nftables"],
  ["nsenter", "util-linux"],
];

/** Beside those, for building a Debian of its own packages. */
const BOOTSTRAP_PROGRAMS = [
  ["mmdebstrap", "mmdebstrap"],
  ["mke2fs", "e2fsprogs"],
  ["/usr/share/keyrings/debian-archive-keyring.gpg", "debian-archive-keyring"],
];

/** Only tests ask these: what people copy files with, shells for completion, systemd's own judgement. */
const TEST_PROGRAMS = [
  ["rsync", "rsync"],
  ["sftp", "openssh-client"],
  ["systemd-analyze", "systemd"],
  ["bash", "bash"],
  ["zsh", "zsh"],
  ["fish", "fish"],
];

const COMMANDS = {
  demo: { programs: true, bootstrap: true, steps: [["bin/sublet.js", "demo"]] },
  test: {
    programs: true,
    bootstrap: true,
    tests: true,
    steps: [
      ["node_modules/typescript/bin/tsc", "-p", "."],
      ["node_modules/@biomejs/biome/bin/biome", "check", "--error-on-warnings", "."],
      [
        "node_modules/oxlint/bin/oxlint",
        "-c",
        ".oxlintrc.json",
        "--type-aware",
        "src",
        "test",
        "tools",
      ],
      ["node_modules/vitest/vitest.mjs", "run"],
    ],
    argumentsTo: "node_modules/vitest/vitest.mjs",
  },
  check: {
    programs: false,
    steps: [
      ["node_modules/typescript/bin/tsc", "-p", "."],
      ["node_modules/@biomejs/biome/bin/biome", "check", "--error-on-warnings", "."],
      [
        "node_modules/oxlint/bin/oxlint",
        "-c",
        ".oxlintrc.json",
        "--type-aware",
        "src",
        "test",
        "tools",
      ],
    ],
  },
  torture: { programs: true, steps: [["tools/torture/main.ts"]] },
  schema: {
    programs: false,
    steps: [
      ["tools/schema/write.ts"],
      ["tools/openapi/write.ts"],
      ["node_modules/@biomejs/biome/bin/biome", "check", "--write", "openapi.json", "src/database"],
    ],
  },
  "small-linux": { programs: true, steps: [["tools/small-linux/build.ts", ".cache/small-linux"]] },
  "debian-12": {
    programs: true,
    bootstrap: true,
    steps: [["tools/debian-12/build.ts", ".cache/debian-12"]],
  },
};

await main(process.argv.slice(2));

async function main([name, ...rest]) {
  const command = Object.hasOwn(COMMANDS, name ?? "") ? COMMANDS[name] : undefined;
  if (!command) fail(`usage: node tools/bootstrap.js ${Object.keys(COMMANDS).join("|")}`, 2);
  installNpmPackages();
  if (command.programs) {
    installPrograms([
      ...PROGRAMS,
      ...(command.bootstrap ? BOOTSTRAP_PROGRAMS : []),
      ...(command.tests ? TEST_PROGRAMS : []),
    ]);
  }
  const node = bundledNode();
  // Tests that are named run alone; everything else is for the whole.
  const only = rest.length > 0 ? command.argumentsTo : undefined;
  for (const [script, ...given] of command.steps) {
    if (only !== undefined && script !== only) continue;
    await runStep(node, [join(root, script), ...given, ...rest]);
  }
}

function installNpmPackages() {
  const stamp = join(root, "node_modules", ".installed-from");
  const wanted = createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  say("installing npm packages");
  // npm ci always empties the folder: no half-made installation is mistaken for a whole one.
  const npm = process.env.npm_execpath;
  const [program, given] = npm ? [process.execPath, [npm]] : ["npm", []];
  run(program, [...given, "ci", "--no-audit", "--no-fund", "--loglevel=error"]);
  writeFileSync(stamp, wanted);
}

function installPrograms(programs) {
  const missing = programs.filter(([program]) => !isInstalled(program));
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map(([, name]) => name))];
  const typed = `apt-get install -y --no-install-recommends ${packages.join(" ")}`;
  const names = missing.map(([program]) => program).join(", ");
  if (!isInstalled("apt-get")) fail(`missing: ${names}; install them with this system's packages`);
  if (process.getuid() !== 0) fail(`missing: ${names}; type: sudo ${typed}`);
  say(`installing ${packages.join(", ")} from Debian's packages`);
  const apt = { env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } };
  run("apt-get", ["update", "-qq"], apt);
  run("apt-get", [...typed.split(" ").slice(1), "-qq"], apt);
  const still = missing.filter(([program]) => !isInstalled(program));
  if (still.length > 0) fail(`still missing after installing: ${still.map(([p]) => p).join(", ")}`);
}

function isInstalled(program) {
  if (program.startsWith("/")) return existsSync(program);
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin"];
  return folders.some((folder) => folder !== "" && existsSync(join(folder, program)));
}

function qemuPackage() {
  return process.arch === "arm64" ? "qemu-system-arm" : "qemu-system-x86";
}

/** The Node that the lockfile names; its folder goes first on the PATH of what it starts. */
function bundledNode() {
  const require = createRequire(join(root, "package.json"));
  try {
    const folder = dirname(require.resolve(`node-linux-${process.arch}/package.json`));
    return join(folder, "bin", "node");
  } catch (error) {
    fail(
      `no Node for ${process.platform}-${process.arch} came with the packages: ${error.message}`,
    );
  }
}

/** An installation, which nothing else waits beside. */
function run(program, given, options = {}) {
  const { status, signal, error } = spawnSync(program, given, {
    cwd: root,
    stdio: "inherit",
    ...options,
  });
  if (error) fail(`${program} did not start: ${error.message}`);
  if (signal) process.kill(process.pid, signal);
  if (status !== 0) process.exit(status ?? 1);
}

/** A step that may take a while: it hears Ctrl-C itself, and this process waits for it to clean up. */
function runStep(program, given) {
  const path = `${join(root, "node_modules", ".bin")}${delimiter}${process.env.PATH ?? ""}`;
  const child = spawn(program, given, {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, PATH: path },
  });
  process.on("SIGINT", () => undefined);
  for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  return new Promise((resolve) => {
    child.once("error", (error) => fail(`${program} did not start: ${error.message}`));
    child.once("exit", (code, signal) => {
      process.removeAllListeners("SIGINT");
      for (const one of ["SIGTERM", "SIGHUP"]) process.removeAllListeners(one);
      if (signal) process.kill(process.pid, signal);
      else if (code !== 0) process.exit(code ?? 1);
      resolve();
    });
  });
}

function say(line) {
  process.stderr.write(`${line}\n`);
}

function fail(line, exitCode = 1) {
  say(line);
  process.exit(exitCode);
}
