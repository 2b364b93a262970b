import { expect, test } from "vitest";
import { request, words } from "./http.ts";

async function refused(body: unknown): Promise<string> {
  const headers = { "content-type": "application/problem+json" };
  const fetch = () => Promise.resolve(new Response(JSON.stringify(body), { status: 400, headers }));
  return request({ origin: "", fetch }, "/").then(() => "taken", words);
}

test("a wrong field is told in words, not by its pointer", async () => {
  const problem = (pointer: string, detail: string): Promise<string> =>
    refused({ code: "invalid-request", detail: `${pointer}: ${detail}`, errors: [{ pointer, detail }] });
  expect(await problem("/password", "is one of the commonest passwords")).toBe(
    "Password is one of the commonest passwords.",
  );
  expect(await problem("/displayName", "is too long")).toBe("Display name is too long.");
  expect(await problem("?query", "must have 2 characters")).toBe("Query must have 2 characters.");
});

test("a problem of the whole is told as the server says it", async () => {
  expect(await refused({ code: "conflict", detail: "The username is taken." })).toBe(
    "The username is taken.",
  );
});
