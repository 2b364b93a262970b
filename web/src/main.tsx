import { inBrowser } from "chat-client";
import { createRoot } from "react-dom/client";
import { Chat } from "./chat/chat";
import { App } from "./components/App";

const place = document.getElementById("chat");
if (place) {
  const chat = new Chat(inBrowser());
  void chat.start();
  addEventListener("offline", () => chat.offline());
  addEventListener("online", () => chat.hurry());
  createRoot(place).render(<App chat={chat} />);
}
