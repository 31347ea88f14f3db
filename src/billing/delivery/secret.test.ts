import { expect, test } from "vitest";
import { formatSecret, newSecret, signWebhook } from "./secret.ts";

test("a signature is the one of the Standard Webhooks specification's example", () => {
  const secret = Buffer.from("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "base64");
  const message = {
    id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
    timestampSeconds: 1_614_265_330,
    body: '{"test": 2432232314}',
  };
  expect(signWebhook(message, [secret])).toBe("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
});

test("every secret is another one, of 32 bytes", () => {
  const secrets = [newSecret(), newSecret()].map(formatSecret);
  expect(new Set(secrets).size).toBe(2);
  for (const secret of secrets) {
    expect(Buffer.from(secret.replace(/^whsec_/, ""), "base64")).toHaveLength(32);
  }
});
