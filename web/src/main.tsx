import { createRoot } from "react-dom/client";
import { Chat } from "./chat/chat";
import { App } from "./components/App";

const place = document.getElementById("chat");
if (place) {
  const chat = new Chat();
  void chat.start();
  createRoot(place).render(<App chat={chat} />);
}
