// A line to the stack that a test cuts: TCP, so that HTTP and sockets go down together.
import net from "node:net";

export class Line {
  /** `whole`; `cut`: nothing comes through; `deaf`: what goes out arrives, and no answer comes back. */
  state = "whole";
  sockets = new Set();

  static async to(origin) {
    const line = new Line();
    const { hostname, port } = new URL(origin);
    line.server = net.createServer((client) => line.pass(client, net.connect(Number(port), hostname)));
    await new Promise((resolve) => line.server.listen(0, "127.0.0.1", resolve));
    line.origin = `http://127.0.0.1:${line.server.address().port}`;
    return line;
  }

  pass(client, stack) {
    const end = () => [client, stack].forEach((socket) => socket.destroy());
    for (const socket of [client, stack]) {
      this.sockets.add(socket);
      socket.on("error", end);
      socket.on("close", () => this.sockets.delete(socket) && end());
    }
    if (this.state === "cut") return end();
    client.on("data", (bytes) => this.state !== "cut" && stack.write(bytes));
    stack.on("data", (bytes) => this.state === "whole" && client.write(bytes));
  }

  deafen() {
    this.state = "deaf";
  }

  cut() {
    this.state = "cut";
    this.sockets.forEach((socket) => socket.destroy());
  }

  /** What was half said is not gone on with. */
  mend() {
    this.cut();
    this.state = "whole";
  }

  close() {
    this.cut();
    this.server.close();
  }
}
