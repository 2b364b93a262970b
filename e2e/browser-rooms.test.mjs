// What a room shows beyond its texts: what is unread, edited, deleted or reacted to, and what was said long ago.
import assert from "node:assert/strict";
import { test } from "node:test";
import { artifacts, create, heard, messages, newcomer, program, say } from "./browser.mjs";
import { eventually } from "./lib.mjs";

test("unread messages are counted until they are looked at; edits, deletions and reactions are shown", async () => {
  const [ada, bob] = [await newcomer("ada"), await newcomer("bob")];
  const writer = await program(ada.username);
  const reader = await program(bob.username);
  const { id } = (await writer.as("POST", "/api/rooms", { name: "Busy", visibility: "private", memberIds: [reader.id] })).json;
  const path = `/api/rooms/${id}/messages`;
  const write = async (message, mentions = []) => {
    const messageId = crypto.randomUUID();
    const { status } = await writer.as("POST", path, { messageId, message, mentions });
    assert.equal(status, 201);
    return messageId;
  };
  const room = bob.page.getByRole("listitem").filter({ has: bob.page.getByRole("button", { name: "Busy" }) });
  await room.waitFor();
  const first = await write("first");
  const second = await write("second", [reader.id]);
  const third = await write("third");
  await room.getByText("3 unread, 1 to you").waitFor();
  await writer.as("PATCH", `${path}/${first}`, { message: "first again" });
  await writer.as("DELETE", `${path}/${second}`);
  for (const who of [writer, reader]) await who.as("PUT", `${path}/${third}/reactions/%F0%9F%8D%B5`);
  await room.getByText("2 unread").waitFor();
  await room.getByRole("button").click();
  await bob.page.locator("li.message", { hasText: "first again" }).getByText("(edited)").waitFor();
  await bob.page.getByText("Message deleted").waitFor();
  await bob.page.locator("li.message", { hasText: "third" }).getByText("\u{1F375} 2").waitFor();
  await room.getByText("unread").waitFor({ state: "detached" });
  await bob.page.screenshot({ path: `${artifacts}edited-deleted-reactions.png` });
  await write("while it is looked at");
  await heard(bob.page, "while it is looked at");
  await room.getByText("unread").waitFor({ state: "detached" });
  await eventually(async () => {
    const [listed] = (await reader.as("GET", "/api/rooms")).json.items;
    assert.deepEqual([listed.unreadCount, listed.readSeq], [0, listed.headSeq]);
  });
  assert.deepEqual([...ada.faults, ...bob.faults], []);
  await Promise.all([ada.context.close(), bob.context.close()]);
});

test("older messages come in steps, back to the first", async () => {
  const { page, context, username } = await newcomer("old");
  const { as } = await program(username);
  const { id } = (await as("POST", "/api/rooms", { name: "Long", visibility: "private" })).json;
  const texts = Array.from({ length: 450 }, (_, n) => `message ${n}`);
  for (const message of texts) await as("POST", `/api/rooms/${id}/messages`, { messageId: crypto.randomUUID(), message });
  await page.reload();
  await page.getByRole("button", { name: "Long" }).click();
  await heard(page, texts.at(-1));
  const older = page.getByRole("button", { name: "Older messages" });
  const first = () => page.locator("li.message").first().getAttribute("data-seq");
  let steps = 0;
  for (; await older.isVisible(); steps++) {
    const before = await first();
    await older.click();
    await eventually(async () => assert.notEqual(await first(), before));
  }
  assert.equal(steps, 2);
  assert.deepEqual(await messages(page), texts);
  await context.close();
});

test("a text that is too long stays with its writer, whole, and says so", async () => {
  const { page, context } = await newcomer("ada");
  await page.getByLabel("New room").fill("Long");
  await page.getByRole("button", { name: "Create" }).click();
  await page.getByRole("heading", { name: "Long" }).waitFor();
  const box = page.getByRole("textbox", { name: "Message" });
  await say(page, "x".repeat(4_001));
  await page.getByRole("alert").filter({ hasText: "at most 4000 characters; this has 4001" }).waitFor();
  assert.equal((await box.inputValue()).length, 4_001);
  // Characters are counted, not the units in which a browser keeps them.
  const most = "🍵".repeat(4_000);
  await say(page, most);
  await heard(page, most);
  assert.equal(await page.getByRole("alert").count(), 0);
  await context.close();
});

test("who is typing is shown, until it is sent", async () => {
  const [ada, bob] = [await newcomer("ada"), await newcomer("bob")];
  await create(ada.page, "Typists");
  const { as } = await program(ada.username);
  const [room] = (await as("GET", "/api/rooms")).json.items;
  const { status } = await as("POST", `/api/rooms/${room.id}/members`, { userId: (await program(bob.username)).id });
  assert.equal(status, 201);
  await bob.page.getByRole("button", { name: "Typists" }).click();
  await say(ada.page, "hello");
  await heard(bob.page, "hello");
  await ada.page.getByRole("textbox", { name: "Message" }).pressSequentially("well");
  const typing = bob.page.getByText(`${ada.username} is typing…`);
  await typing.waitFor();
  await ada.page.getByRole("textbox", { name: "Message" }).press("Enter");
  await heard(bob.page, "well");
  await typing.waitFor({ state: "detached" });
  assert.deepEqual([...ada.faults, ...bob.faults], []);
  await Promise.all([ada.context.close(), bob.context.close()]);
});

test("what may be old says so, until a fresh answer comes", async () => {
  const { page, context, faults } = await newcomer("old");
  await create(page, "Leaderless");
  const rooms = /\/api\/rooms\?/;
  await page.route(rooms, async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, headers: { ...response.headers(), "chat-stale": "true" } });
  });
  await page.reload();
  const stale = page.getByText("may lack the newest");
  await stale.waitFor();
  await page.getByRole("button", { name: "Leaderless" }).click();
  await page.screenshot({ path: `${artifacts}stale.png` });
  await page.unroute(rooms);
  await stale.waitFor({ state: "detached" });
  assert.deepEqual(faults, []);
  await context.close();
});

test("the open room is in the address: over a reload, back and forward, and for another member", async () => {
  const [ada, bob] = [await newcomer("ada"), await newcomer("bob")];
  const opened = (page, name) => page.getByRole("heading", { name }).waitFor();
  await create(ada.page, "First");
  await create(ada.page, "Second");
  await ada.page.goBack();
  await opened(ada.page, "First");
  await ada.page.goForward();
  await opened(ada.page, "Second");
  await ada.page.reload();
  await opened(ada.page, "Second");
  const { as } = await program(ada.username);
  const { id } = (await as("GET", "/api/rooms")).json.items.find(({ name }) => name === "Second");
  await as("POST", `/api/rooms/${id}/members`, { userId: (await program(bob.username)).id });
  await bob.page.goto(ada.page.url());
  await opened(bob.page, "Second");
  await Promise.all([ada.context.close(), bob.context.close()]);
});

test("on a phone the list and the room take turns, and nothing is wider than the screen", async () => {
  const { page, context } = await newcomer("tel");
  const fits = async () =>
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "it is too wide");
  await page.setViewportSize({ width: 400, height: 800 });
  const list = page.getByRole("navigation", { name: "Rooms" });
  await fits();
  await page.screenshot({ path: `${artifacts}phone-list.png` });
  const name = "M".repeat(80);
  await create(page, name);
  await say(page, "W".repeat(200));
  await heard(page, "WWW");
  await list.waitFor({ state: "hidden" });
  await fits();
  await page.screenshot({ path: `${artifacts}phone-room.png` });
  await page.getByRole("link", { name: "All rooms" }).click();
  await list.getByRole("button", { name }).waitFor();
  await page.getByRole("main").waitFor({ state: "hidden" });
  await fits();
  await page.screenshot({ path: `${artifacts}phone-list-long.png` });
  await context.close();
});
