// What is written without a line waits, over a reload too, and goes out once.
import assert from "node:assert/strict";
import { test } from "node:test";
import { artifacts, create, heard, messages, newcomer, program, say, waiting } from "./browser.mjs";
import { at } from "./lib.mjs";

test("what was written without a line is there after a reload, still waiting, and arrives once", async () => {
  const { page, context, username } = await newcomer("wil");
  await create(page, "Written offline");
  const live = [];
  let blocked = true;
  await page.routeWebSocket(/\/ws$/, (socket) => {
    if (blocked) return socket.close({ code: 1011 });
    live.push(socket.connectToServer());
  });
  await page.reload();
  await page.getByText("Connection lost").waitFor();
  await page.getByRole("button", { name: "Written offline" }).click();
  for (const text of ["one", "two"]) await say(page, text);
  await waiting(page).nth(1).waitFor();
  await page.reload();
  await page.getByText("Connection lost").waitFor();
  await page.getByRole("button", { name: "Written offline" }).click();
  await waiting(page).nth(1).waitFor();
  assert.deepEqual(await messages(page), ["one", "two"]);
  await say(page, "three");
  await page.screenshot({ path: `${artifacts}waiting-after-reload.png` });
  blocked = false;
  for (const text of ["one", "two", "three"]) await heard(page, text);
  assert.deepEqual(await messages(page), ["one", "two", "three"]);
  await page.reload();
  await page.getByRole("button", { name: "Written offline" }).click();
  await heard(page, "three");
  assert.deepEqual(await messages(page), ["one", "two", "three"]);
  const { as } = await program(username);
  const [room] = (await as("GET", "/api/rooms")).json.items;
  const said = (await as("GET", `/api/rooms/${room.id}/messages`)).json.items;
  assert.deepEqual(said.map(({ message }) => message), ["one", "two", "three"]);
  await context.close();
});

test("two tabs that both have what waits show and send it once", async () => {
  const { page, context } = await newcomer("duo");
  await create(page, "Two tabs");
  let blocked = true;
  await context.routeWebSocket(/\/ws$/, (socket) => (blocked ? socket.close({ code: 1011 }) : socket.connectToServer()));
  await page.reload();
  await page.getByRole("button", { name: "Two tabs" }).click();
  for (const text of ["one", "two"]) await say(page, text);
  const other = await context.newPage();
  await other.goto(at.web);
  await other.getByRole("button", { name: "Two tabs" }).click();
  await waiting(other).nth(1).waitFor();
  blocked = false;
  for (const tab of [page, other]) {
    await heard(tab, "two");
    await waiting(tab).first().waitFor({ state: "detached" });
    assert.deepEqual(await messages(tab), ["one", "two"]);
  }
  await context.close();
});

test("what one user left unsent is gone when they log out, and no other user sees it", async () => {
  const { page, context } = await newcomer("out");
  await create(page, "Left behind");
  await page.routeWebSocket(/\/ws$/, (socket) => socket.close({ code: 1011 }));
  await page.reload();
  await page.getByRole("button", { name: "Left behind" }).click();
  await say(page, "unsent");
  await waiting(page).waitFor();
  const asked = [];
  page.on("dialog", (dialog) => {
    asked.push(dialog.message());
    return dialog.accept();
  });
  await page.getByRole("button", { name: "Log out" }).click();
  await page.getByRole("button", { name: "Register" }).waitFor();
  assert.equal(asked.length, 1);
  assert.deepEqual(await page.evaluate(() => Object.keys(localStorage)), []);
  await context.close();
});
