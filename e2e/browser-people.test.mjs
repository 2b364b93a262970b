// Who is there, in a room and in a conversation between two.
import assert from "node:assert/strict";
import { test } from "node:test";
import { artifacts, create, newcomer, program } from "./browser.mjs";
import { PASSWORD, at } from "./lib.mjs";

test("who of a room's members is there is shown, as it changes", async () => {
  const [ada, bob] = [await newcomer("ada"), await newcomer("bob")];
  await create(ada.page, "Present");
  const { as } = await program(ada.username);
  const [room] = (await as("GET", "/api/rooms")).json.items;
  await ada.page.getByText("1 member, public").click();
  const member = ({ username }) => ada.page.getByRole("list", { name: "Members" }).getByRole("listitem").filter({ hasText: username });
  await member(ada).getByRole("img", { name: "online" }).waitFor();
  await as("POST", `/api/rooms/${room.id}/members`, { userId: (await program(bob.username)).id });
  await ada.page.getByText("2 members, public").waitFor();
  await member(bob).getByRole("img", { name: "online" }).waitFor();
  await ada.page.screenshot({ path: `${artifacts}members.png` });
  await bob.context.close();
  await member(bob).getByRole("img", { name: "offline" }).waitFor();
  await ada.page.context().setOffline(true);
  await member(ada).waitFor({ state: "detached" });
  await ada.page.context().setOffline(false);
  await member(bob).getByRole("img", { name: "offline" }).waitFor();
  assert.deepEqual(bob.faults, []);
  await ada.context.close();
});

test("a conversation between two goes by the other's name, and shows whether they are there; it is sealed, and says so", async () => {
  const [ada, bob] = [await newcomer("ada"), await newcomer("bob")];
  const { as } = await program(ada.username);
  await as("POST", "/api/dms", { userId: (await program(bob.username)).id });
  for (const [{ page }, other] of [[ada, bob], [bob, ada]]) {
    const button = page.getByRole("button", { name: other.username });
    await button.getByRole("img", { name: "online" }).waitFor();
    await button.click();
    await page.getByRole("heading", { name: other.username }).waitFor();
    await page.getByRole("main").getByRole("img", { name: "online" }).waitFor();
    await page.getByText("cannot do yet").waitFor();
    assert.equal(await page.getByRole("textbox", { name: "Message" }).count(), 0);
  }
  await ada.page.screenshot({ path: `${artifacts}direct.png` });
  await bob.context.close();
  await ada.page.getByRole("main").getByRole("img", { name: "offline" }).waitFor();
  assert.deepEqual([...ada.faults, ...bob.faults], []);
  await ada.context.close();
});

test("where I am signed in is shown; one that I end is out, and a new password ends the others", async () => {
  const ada = await newcomer("ada");
  const other = await ada.page.context().browser().newContext();
  const page = await other.newPage();
  const signIn = async (password) => {
    await page.getByRole("button", { name: "I have an account" }).click();
    await page.getByLabel("Username").fill(ada.username);
    await page.getByLabel("Password").fill(password);
    await page.getByRole("button", { name: "Log in" }).click();
    await page.getByText("Connected").waitFor();
  };
  await page.goto(at.web);
  await signIn(PASSWORD);
  const sessions = ada.page.getByRole("list", { name: "Where you are signed in" }).getByRole("listitem");
  await ada.page.getByText("Account").click();
  await sessions.filter({ hasText: "This browser" }).waitFor();
  await ada.page.screenshot({ path: `${artifacts}account.png` });
  await sessions.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Create an account" }).waitFor();
  await sessions.nth(1).waitFor({ state: "detached" });

  await signIn(PASSWORD);
  const change = async (current, next) => {
    await ada.page.getByLabel("Current password").fill(current);
    await ada.page.getByLabel("New password").fill(next);
    await ada.page.getByRole("button", { name: "Change password" }).click();
  };
  await change("not the password", "staple and more");
  await ada.page.getByText("That is not your password.").waitFor();
  await change(PASSWORD, "staple and more");
  await ada.page.getByText("Your password is changed").waitFor();
  await page.getByRole("heading", { name: "Create an account" }).waitFor();
  await signIn("staple and more");
  await ada.page.reload();
  await ada.page.getByText("Connected").waitFor();
  await Promise.all([ada.context.close(), other.close()]);
});
