// Two people in two browsers on two gateways: what a user does first has to work.
import assert from "node:assert/strict";
import { test } from "node:test";
import { artifacts, create, heard, messages, newcomer, program, say } from "./browser.mjs";
import { PASSWORD, at } from "./lib.mjs";

/** Open sockets of each gateway, by its own count. */
async function sockets() {
  const gateways = Object.entries(at.metrics).filter(([name]) => name.startsWith("ws-core"));
  return Promise.all(gateways.map(async ([, url]) => {
    const text = await (await fetch(url)).text();
    return Number(/^ws_active_connections\{.*\} (\d+)/m.exec(text)[1]);
  }));
}

test("two people on two gateways meet, talk both ways, and find everything after a reload", async () => {
  const ada = await newcomer("ada");
  const bob = await newcomer("bob");
  assert.ok((await sockets()).filter((count) => count > 0).length >= 2, "they are on two gateways");
  const name = `Tea ${Date.now()}`;
  await create(ada.page, name);
  await bob.page.getByLabel("Find public rooms").fill(name);
  await bob.page.getByRole("button", { name: "Find", exact: true }).click();
  await bob.page.getByRole("button", { name: `Join ${name}` }).click();
  await bob.page.getByRole("heading", { name }).waitFor();
  const said = [];
  for (let n = 1; n <= 3; n++) {
    for (const [speaker, listener] of [[ada, bob], [bob, ada]]) {
      const text = `${speaker.username} says ${n}`;
      said.push(text);
      await say(speaker.page, text);
      await heard(listener.page, text);
      await heard(speaker.page, text);
    }
  }
  for (const { page } of [ada, bob]) assert.deepEqual(await messages(page), said);
  await bob.page.screenshot({ path: `${artifacts}two-gateways.png` });
  await bob.page.reload();
  await bob.page.getByText("Connected").waitFor();
  await bob.page.getByRole("button", { name, exact: true }).click();
  await heard(bob.page, said.at(-1));
  assert.deepEqual(await messages(bob.page), said, "history is complete and in order");
  await say(bob.page, "still here");
  await heard(ada.page, "still here");
  assert.deepEqual([...ada.faults, ...bob.faults], []);
  await Promise.all([ada.context.close(), bob.context.close()]);
});

test("a lost connection is said, what is written meanwhile is kept, and it comes back by itself", async () => {
  const ada = await newcomer("eve");
  const sockets = [];
  await ada.page.routeWebSocket(/\/ws$/, (socket) => {
    socket.connectToServer();
    sockets.push(socket);
  });
  await ada.page.reload();
  await ada.page.getByText("Connected").waitFor();
  await create(ada.page, "Alone");
  await ada.page.context().setOffline(true);
  await sockets.at(-1).close({ code: 4503 });
  await ada.page.getByText("Connection lost").waitFor();
  await say(ada.page, "written while away");
  await ada.page.getByText("Sending…").waitFor();
  await ada.page.screenshot({ path: `${artifacts}connection-lost.png` });
  await ada.page.context().setOffline(false);
  await ada.page.getByText("Connected").waitFor();
  await heard(ada.page, "written while away");
  assert.deepEqual(await messages(ada.page), ["written while away"]);
  await ada.context.close();
});

test("that the browser has gone offline is said before the socket tells", async () => {
  const { page, context } = await newcomer("off");
  let away = false;
  await page.routeWebSocket(/\/ws$/, (socket) => (away ? socket.close({ code: 1011 }) : socket.connectToServer()));
  await page.reload();
  await page.getByText("Connected").waitFor();
  away = true;
  await page.evaluate(() => dispatchEvent(new Event("offline")));
  await page.getByText("Connection lost").waitFor();
  away = false;
  await page.evaluate(() => dispatchEvent(new Event("online")));
  await page.getByText("Connected").waitFor();
  await context.close();
});

test("who logs out has to log in again, and a wrong password says so", async () => {
  const { page, context, username } = await newcomer("joe");
  await page.getByRole("button", { name: "Log out" }).click();
  await page.getByRole("button", { name: "I have an account" }).click();
  await page.getByLabel("Username").fill(username);
  await page.getByLabel("Password").fill("not the password");
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("alert").waitFor();
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByText("Connected").waitFor();
  await context.close();
});

test("a session that ends in one tab ends in the other", async () => {
  const { page, context } = await newcomer("tab");
  const other = await context.newPage();
  await other.goto(at.web);
  await other.getByText("Connected").waitFor();
  await page.getByRole("button", { name: "Log out" }).click();
  await other.getByRole("button", { name: "Register" }).waitFor();
  await context.close();
});

test("who is removed loses the room, and who is taken in again hears what is said", async () => {
  const [ada, bob] = [await newcomer("ada"), await newcomer("bob")];
  const name = `Door ${Date.now()}`;
  await create(ada.page, name);
  const roomButton = bob.page.getByRole("button", { name, exact: true });
  const add = async () => {
    if (!(await ada.page.getByLabel("Start of a name").isVisible())) await ada.page.getByText("Add people").click();
    await ada.page.getByLabel("Start of a name").fill(bob.username);
    await ada.page.getByRole("main").getByRole("button", { name: "Find" }).click();
    await ada.page.getByRole("button", { name: `Add ${bob.username}` }).click();
    await roomButton.waitFor();
  };
  const { as } = await program(ada.username);
  await add();
  const [room] = (await as("GET", "/api/rooms")).json.items;
  const member = (await as("GET", `/api/rooms/${room.id}/members`)).json.items.find((one) => one.username === bob.username);
  await as("DELETE", `/api/rooms/${room.id}/members/${member.userId}`);
  await roomButton.waitFor({ state: "detached" });
  await add();
  await roomButton.click();
  await say(ada.page, "welcome back");
  await heard(bob.page, "welcome back");
  await Promise.all([ada.context.close(), bob.context.close()]);
});
