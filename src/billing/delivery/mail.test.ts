import { expect, test } from "vitest";
import { readMailer } from "./mail.ts";

const read = (url: string, from: string | undefined = "bills@b.example") =>
  readMailer({ url, from }, (path) => `content of ${path}`);

test("a mail server's address says how it is spoken to; a password needs TLS", () => {
  expect(read("smtp://mail.b.example").options).toMatchObject({ port: 587, secure: false });
  expect(read("smtps://[::1]").options).toMatchObject({ host: "::1", port: 465, secure: true });
  const full = read("smtp://a%40b:p%3Aw@mail.b.example:2525?ca=/etc/ca.pem").options;
  expect(full).toMatchObject({
    ...{ port: 2525, requireTLS: true, auth: { user: "a@b", pass: "p:w" } },
    tls: { ca: "content of /etc/ca.pem" },
  });
});

test.each([
  ["http://mail.b.example", "bills@b.example", "is not the address of a mail server"],
  ["geheim", "bills@b.example", "is not the address of a mail server"],
  ["smtp://user@mail.b.example", "bills@b.example", "give both or none"],
  ["smtp://mail.b.example", undefined, "--mail-from"],
  ["smtp://u:geheim@mail.b.example", "a@b\r\nBcc: c@d", "--mail-from"],
])("%s from %s is refused with the way out, and tells no password", (url, from, why) => {
  expect(() => readMailer({ url, from }, () => "")).toThrow(why);
  expect(() => readMailer({ url, from }, () => "")).not.toThrow("geheim");
});
