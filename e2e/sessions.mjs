// Sessions of one account beside each other, and what every door says of one that was ended.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { dirname } from "node:path";
import { PASSWORD, Socket, assertProblem, at, eventually, http } from "./lib.mjs";

/** What an operator types: `./dev WORDS`, for the stack that runs. */
export function operate(...words) {
  const stack = process.env.CHAT_STACK ?? "../target/debug/stack";
  return execFileSync(stack, [...words, "--data", dirname(process.env.CHAT_ENDPOINTS)], { encoding: "utf8" }).trim();
}

/** Another session of somebody. */
export const login = async (username, { password = PASSWORD, ...more } = {}) => {
  const answer = await http("POST", "/auth/login", { body: { username, password, tokenDelivery: "body", ...more } });
  assert.equal(answer.status, 200, answer.text);
  const { user, accessToken: token, refreshToken } = answer.json;
  const as = (method, route, body) => http(method, route, { token, body });
  return { ...user, token, refreshToken, as };
};
/** The upgrade is refused with this status at a gateway. */
export const refusal = (who, url) =>
  Socket.open(who, url).then(
    (socket) => void socket.ws.terminate(),
    ({ status }) => status,
  );

/** No door lets the session in any more, and its refresh token is dead. */
export async function isOut(who) {
  assertProblem(await http("POST", "/auth/refresh", { body: { refreshToken: who.refreshToken } }), 401, "unauthenticated");
  await eventually(async () => {
    assertProblem(await http("GET", "/auth/verify", { token: who.token }), 401, "unauthenticated");
    for (const origin of [at.web, at.api]) assertProblem(await http("GET", "/api/me", { token: who.token, origin }), 401, "unauthenticated");
    for (const url of [...at.ws, `${at.web.replace("http", "ws")}/ws`]) assert.equal(await refusal(who, url), 401);
  });
}
