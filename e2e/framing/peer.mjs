// The other side of a WebSocket, with nothing of the server's: Node's HTTP client for the upgrade, the frames and the parser of
// `ws`, and a bare TCP connection between them, so that what no well-behaved client sends can be sent too.
import { createHash, randomBytes } from "node:crypto";
import { request } from "node:http";
import { Receiver, Sender } from "ws";

export const [CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG] = [0, 1, 2, 8, 9, 10];
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; // RFC 6455, section 1.3
const LARGEST = 64 * 1024 * 1024;
const PATIENCE = 20_000;

/** One masked frame; `rsv` are its three reserved bits. */
export function encoded({ opcode, payload, fin, rsv }) {
  const parts = Sender.frame(payload, { opcode, fin, mask: true, readOnly: true, rsv1: false });
  parts[0][0] |= rsv << 4;
  return Buffer.concat(parts);
}

/** The upgrade: the answer, and the connection where the server has switched. */
export function upgrade(url, headers = {}) {
  const { hostname, port, pathname } = new URL(url);
  const key = randomBytes(16).toString("base64");
  return new Promise((resolve, reject) => {
    const asked = request({
      host: hostname, port, path: pathname,
      headers: {
        connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": "13", "sec-websocket-key": key,
        "sec-websocket-protocol": "chat.v1", ...headers,
      },
    });
    asked.on("upgrade", (response, socket, head) => {
      const accept = createHash("sha1").update(key + GUID).digest("base64");
      if (response.headers["sec-websocket-accept"] !== accept) reject(new Error("a wrong Sec-WebSocket-Accept"));
      resolve({ headers: response.headers, socket, head });
    });
    asked.on("response", (response) => reject(new Error(`refused with ${response.statusCode}`)));
    asked.on("error", reject);
    asked.end();
  });
}

export class Peer {
  /** What came, in its order: `["message", bytes, binary]`, `["ping", bytes]`, `["pong", bytes]`. */
  heard = [];
  /** The code of the server's close, 1005 where it gave none (RFC 6455, section 7.4.1). */
  code = null;
  /** Whether this side has closed, so that the server's close is an answer and gets none. */
  closing = false;
  #waiting = [];

  static async connect(url, headers) {
    return new Peer(await upgrade(url, headers));
  }

  constructor({ socket, head }) {
    this.socket = socket;
    socket.setNoDelay(true);
    const receiver = new Receiver({ isServer: false, maxPayload: LARGEST });
    const heard = (...event) => {
      this.heard.push(event);
      this.#waiting = this.#waiting.filter((wait) => !wait());
    };
    receiver.on("message", (bytes, binary) => heard("message", bytes, binary));
    receiver.on("ping", (bytes) => heard("ping", bytes));
    receiver.on("pong", (bytes) => heard("pong", bytes));
    receiver.on("conclude", (code) => {
      this.code = code;
      if (!this.closing) this.frame({ opcode: CLOSE, payload: Buffer.alloc(0), fin: true, rsv: 0 });
    });
    // How the connection ended: closed by the server, reset, or with frames that are none.
    this.ended = new Promise((resolve) => {
      receiver.on("error", (error) => resolve(`the server broke the protocol: ${error.message}`));
      socket.on("end", () => resolve("closed"));
      socket.on("error", (error) => resolve(error.code));
      setTimeout(resolve, PATIENCE * 3, "still open").unref();
    });
    if (head.length > 0) receiver.write(head);
    socket.on("data", (bytes) => receiver.write(bytes));
  }

  /** Waits until so much was heard, or the connection has ended. */
  async until(count) {
    const enough = new Promise((resolve) => {
      const look = () => this.heard.length >= count && (resolve(), true);
      if (!look()) this.#waiting.push(look);
    });
    await Promise.race([enough, this.ended]);
  }

  /** Sends a frame whole, or in pieces of `chop` bytes that each have a write of their own. */
  async frame(frame) {
    this.closing ||= frame.opcode === CLOSE;
    await this.bytes(encoded(frame), frame.chop);
  }

  async bytes(bytes, chop = bytes.length) {
    for (let at = 0; at < bytes.length; at += chop) {
      // After the server has ended it, what is left goes nowhere.
      if (!this.socket.writable) return;
      await new Promise((resolve) => this.socket.write(bytes.subarray(at, at + chop), resolve));
    }
  }
}
