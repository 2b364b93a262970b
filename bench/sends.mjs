// A durable send over one WebSocket, one at a time; and what idle sockets cost in memory.
import { readFileSync } from "node:fs";
import { Socket, at, person, room } from "../e2e/lib.mjs";

const [SENDS, IDLE, PEOPLE] = [2000, 1000, 25];
const kib = () => {
  const total = {};
  for (const [name, pids] of Object.entries(at.pids)) {
    if (name === "postgres" || name === "redis") continue;
    total[name] = pids.reduce((sum, pid) => sum + Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]), 0);
  }
  return total;
};

const idle = kib();
console.log("memory at rest, KiB:", idle);
const ada = await person("bench");
const here = await room(ada);
const socket = await Socket.open(ada);
await socket.join(here.id);
const times = [];
for (let n = 0; n < SENDS; n++) {
  const started = performance.now();
  const answer = await socket.say(here.id, "x".repeat(200));
  if (answer.type === "ack") times.push(performance.now() - started);
  else await new Promise((resolve) => setTimeout(resolve, answer.retryAfterMs ?? 100));
  socket.frames.length = 0;
}
times.sort((a, b) => a - b);
const at_ = (share) => times[Math.min(times.length - 1, Math.floor(times.length * share))].toFixed(2);
console.log(`durable send to ack, ms, ${times.length} sends: p50 ${at_(0.5)}, p90 ${at_(0.9)}, p99 ${at_(0.99)}`);

// Registering comes first: hashing passwords takes memory that stays.
const users = [];
for (let n = 0; n < PEOPLE; n++) users.push(await person("idle"));
const before = kib();
const sockets = [];
for (let n = 0; n < IDLE; n++) sockets.push(await Socket.open(users[n % PEOPLE]));
const after = kib();
const more = Object.keys(after).reduce((sum, name) => sum + after[name] - before[name], 0);
console.log(`${IDLE} idle sockets: ${(more / IDLE).toFixed(1)} KiB each`);
await Promise.all([...sockets, socket].map((open) => open.close()));
