// How long a session that was ended still gets in, door by door: `npm run measure:revocation`, with CHAT_ENDPOINTS of a stack
// that runs. Counted from the request that ends it; in `split` also while Redis hangs.
import { Socket, at, http, person, quiet, without } from "./lib.mjs";
import { login, refusal } from "./sessions.mjs";

const RUNS = Number(process.env.RUNS ?? 200);
/** At once, so that the whole does not take long; each asks its doors every few milliseconds. */
const AT_ONCE = 4;

/** Milliseconds until a door says 401. */
async function until(began, ask) {
  while ((await ask()) !== 401) await quiet(5);
  return performance.now() - began;
}

async function once(owner) {
  const ended = await login(owner.username);
  const { sid } = (await ended.as("GET", "/auth/verify")).json;
  const sockets = await Promise.all(at.ws.map((url) => Socket.open(ended, url)));
  const began = performance.now();
  const status = (origin, route) => http("GET", route, { token: ended.token, origin }).then((answer) => answer.status);
  const asked = {
    edge: () => until(began, () => status(at.web, "/auth/verify")),
    API: () => until(began, () => status(at.api, "/api/me")),
    ...Object.fromEntries(at.ws.map((url, n) => [`gateway ${n}, a new socket`, () => until(began, () => refusal(ended, url))])),
    ...Object.fromEntries(sockets.map((socket, n) => [`gateway ${n}, the open socket`, () => socket.closed.then(() => performance.now() - began)])),
  };
  await owner.as("DELETE", `/auth/sessions/${sid}`);
  return Object.fromEntries(await Promise.all(Object.entries(asked).map(async ([door, wait]) => [door, await wait()])));
}

async function measure(title) {
  const taken = {};
  let left = RUNS;
  const worker = async () => {
    const owner = await person("m");
    while (left-- > 0) {
      for (const [door, ms] of Object.entries(await once(owner))) (taken[door] ??= []).push(ms);
      // Not in step with the lists.
      await quiet(Math.random() * 1_000);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  console.log(`\n${title}, ${RUNS} runs: milliseconds, p50 / p99 / longest`);
  for (const [door, all] of Object.entries(taken)) {
    all.sort((a, b) => a - b);
    const part = (share) => Math.round(all[Math.min(all.length - 1, Math.floor(all.length * share))]);
    console.log(`  ${door.padEnd(28)} ${part(0.5)} / ${part(0.99)} / ${part(1)}`);
  }
}

await measure("as it is");
if (at.redis) await without("redis", () => measure("without Redis"));
process.exit(0);
