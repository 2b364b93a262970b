// p99 of a durable send alone and beside 2,000 connections that never speak, several times in turn.
import net from "node:net";
import { Socket, at, person, room } from "../e2e/lib.mjs";

const [ROUNDS, SENDS, SILENT, REST_MS] = [5, 200, 2000, 2000];
const ada = await person("bench");
const here = await room(ada);
const socket = await Socket.open(ada);
const rest = () => new Promise((resolve) => setTimeout(resolve, REST_MS));
async function p99() {
  const times = [];
  for (let n = 0; n < SENDS; n++) {
    const started = performance.now();
    const answer = await socket.say(here.id, "x".repeat(200));
    if (answer.type !== "ack") throw new Error(JSON.stringify(answer));
    times.push(performance.now() - started);
    socket.frames.length = 0;
  }
  return times.sort((a, b) => a - b)[Math.floor(SENDS * 0.99)];
}
await p99();
const { hostname, port } = new URL(at.web);
for (let round = 0; round < ROUNDS; round++) {
  await rest();
  const alone = await p99();
  const silent = [];
  for (let n = 0; n < SILENT; n++) silent.push(net.connect(Number(port), hostname).on("error", () => {}).resume());
  await Promise.all(silent.map((connection) => new Promise((resolve) => connection.once("connect", resolve))));
  await rest();
  const beside = await p99();
  console.log(`p99 alone ${alone.toFixed(2)} ms, beside ${SILENT} silent ${beside.toFixed(2)} ms: ${(beside / alone).toFixed(2)}x`);
  await Promise.all(silent.map((connection) => new Promise((resolve) => connection.destroyed ? resolve() : connection.once("close", resolve))));
}
await socket.close();
