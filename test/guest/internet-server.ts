import { createSocket } from "node:dgram";
import { createServer } from "node:net";

/** Says its name to whoever connects to port 80, and to questions for names: 1.1.1.1. */
const [name = ""] = process.argv.slice(2);
createServer((socket) => {
  socket.on("error", () => undefined);
  socket.end(`HTTP/1.0 200 OK\r\n\r\nthis is ${name}\n`);
}).listen(80, "0.0.0.0", () => process.stdout.write("listens\n"));

const resolver = createSocket("udp4");
resolver.on("message", (question, from) => {
  let end = 12;
  while (question[end] !== 0) end += (question[end] ?? 0) + 1;
  const isAddress = question.readUInt16BE(end + 1) === 1;
  const head = Buffer.from([
    question[0] ?? 0,
    question[1] ?? 0,
    0x81,
    0x80,
    0,
    1,
    0,
    0,
    0,
    0,
    0,
    0,
  ]);
  head[7] = isAddress ? 1 : 0;
  const found = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 1, 1, 1, 1]);
  const asked = question.subarray(12, end + 5);
  const parts = [head, asked, ...(isAddress ? [found] : [])];
  resolver.send(Buffer.concat(parts), from.port, from.address);
});
resolver.bind(53, "9.9.9.9", () => undefined);
resolver.on("error", () => undefined);
