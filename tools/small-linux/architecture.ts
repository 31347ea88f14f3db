/** What differs between the two processors that the small Linux is built for. */
export interface Architecture {
  readonly name: "x86_64" | "aarch64";
  /** Packages that depend on the newest kernel for virtual machines: Debian's, then Ubuntu's. */
  readonly kernelPackages: readonly string[];
}

export function hostArchitecture(): Architecture {
  const found = ARCHITECTURES.get(process.arch);
  if (found === undefined) throw new Error(`no small Linux is built for ${process.arch} yet`);
  return found;
}

const ARCHITECTURES = new Map<string, Architecture>([
  ["x64", { name: "x86_64", kernelPackages: ["linux-image-cloud-amd64", "linux-image-virtual"] }],
  [
    "arm64",
    { name: "aarch64", kernelPackages: ["linux-image-cloud-arm64", "linux-image-virtual"] },
  ],
]);
