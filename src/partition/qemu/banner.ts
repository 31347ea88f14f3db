import { connect } from "node:net";

/**
 * True when an SSH server greets on the port. QEMU accepts connections for a guest that is dead,
 * so only the greeting proves anything. It must be the first line (RFC 4253, section 4.2, lets a
 * server speak before it; ours do not).
 */
export function sshGreets(address: string, port: number, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    let text = "";
    const finish = (greeted: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(greeted);
    };
    const timer = setTimeout(() => finish(false), timeoutMs);
    socket.setEncoding("latin1");
    socket.on("data", (chunk: string) => {
      text += chunk;
      if (text.length >= GREETING.length) finish(text.startsWith(GREETING));
    });
    // Refused, reset or closed without a word: it does not answer, which is what was asked.
    socket.once("error", () => finish(false));
    socket.once("close", () => finish(false));
  });
}

const GREETING = "SSH-2.0";
