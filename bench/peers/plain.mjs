// A chat gateway as it is usually begun: `ws`, JSON, a Redis channel for each room. With DATABASE_URL a message is inserted
// before its sender is answered.
import { createServer } from "node:http";
import jwt from "jsonwebtoken";
import pg from "pg";
import { createClient } from "redis";
import { WebSocketServer } from "ws";

const publisher = await createClient({ url: process.env.REDIS_URL }).connect();
const subscriber = await publisher.duplicate().connect();
const database = process.env.DATABASE_URL && new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 16 });
const INSERT = {
  name: "insert",
  text: `INSERT INTO messages (room_id, message_id, sender_id, message) VALUES ($1, $2, $3, $4)
         ON CONFLICT (message_id) DO NOTHING RETURNING seq, sent_at`,
};
await database?.query(`CREATE TABLE messages (seq bigserial, room_id uuid NOT NULL, message_id uuid PRIMARY KEY,
  sender_id uuid NOT NULL, message text NOT NULL, sent_at timestamptz NOT NULL DEFAULT now())`);

const rooms = new Map();

async function enter(socket, room) {
  const members = rooms.get(room);
  if (members) return void members.add(socket);
  const all = new Set([socket]);
  rooms.set(room, all);
  await subscriber.subscribe(`room:${room}`, (text) => {
    for (const member of all) member.send(text);
  });
}

function leave(socket, room) {
  const members = rooms.get(room);
  members?.delete(socket);
  if (members?.size !== 0) return;
  rooms.delete(room);
  subscriber.unsubscribe(`room:${room}`);
}

async function say(socket, { roomId, messageId, message, ref }) {
  const frame = { type: "message", roomId, messageId, senderId: socket.user.sub, senderName: socket.user.name, message };
  if (database) {
    const { rows } = await database.query({ ...INSERT, values: [roomId, messageId, socket.user.sub, message] });
    publisher.publish(`room:${roomId}`, JSON.stringify({ ...frame, seq: rows[0]?.seq, sentAt: rows[0]?.sent_at }));
    socket.send(JSON.stringify({ type: "ack", ref, roomId, messageId, seq: Number(rows[0]?.seq), sentAt: rows[0]?.sent_at }));
  } else {
    publisher.publish(`room:${roomId}`, JSON.stringify({ ...frame, sentAt: new Date() }));
  }
}

const server = createServer();
const sockets = new WebSocketServer({ noServer: true });
server.on("upgrade", (request, raw, head) => {
  let user;
  try {
    user = jwt.verify(request.headers.authorization.slice("Bearer ".length), process.env.SECRET, { algorithms: ["HS256"] });
  } catch {
    return raw.end("HTTP/1.1 401 Unauthorized\r\n\r\n");
  }
  sockets.handleUpgrade(request, raw, head, async (socket) => {
    socket.user = user;
    const wanted = new URL(request.url, "http://here").searchParams.get("rooms").split(",").filter(Boolean);
    socket.on("message", (text) => say(socket, JSON.parse(text)));
    socket.on("close", () => wanted.forEach((room) => leave(socket, room)));
    socket.on("error", () => {});
    for (const room of wanted) await enter(socket, room);
    socket.send('{"type":"welcome"}');
  });
});
server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, () => console.log(`ready ${server.address().port}`));
