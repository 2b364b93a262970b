// The same with Socket.IO and its Redis adapter.
import { createServer } from "node:http";
import { createAdapter } from "@socket.io/redis-adapter";
import jwt from "jsonwebtoken";
import { createClient } from "redis";
import { Server } from "socket.io";

const publisher = await createClient({ url: process.env.REDIS_URL }).connect();
const subscriber = await publisher.duplicate().connect();
const server = createServer();
const io = new Server(server, { transports: ["websocket"], adapter: createAdapter(publisher, subscriber) });

io.use((socket, next) => {
  try {
    const token = socket.request.headers.authorization.slice("Bearer ".length);
    socket.user = jwt.verify(token, process.env.SECRET, { algorithms: ["HS256"] });
    next();
  } catch (error) {
    next(error);
  }
});
io.on("connection", async (socket) => {
  const wanted = socket.handshake.query.rooms.split(",").filter(Boolean);
  await socket.join(wanted);
  socket.on("send", ({ roomId, messageId, message }) => {
    const { sub: senderId, name: senderName } = socket.user;
    io.to(roomId).emit("message", { roomId, messageId, senderId, senderName, message, sentAt: new Date() });
  });
  socket.emit("welcome");
});
server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, () => console.log(`ready ${server.address().port}`));
