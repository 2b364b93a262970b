// Who is there, in a room and in a conversation between two.
import assert from "node:assert/strict";
import { test } from "node:test";
import { artifacts, create, newcomer, program } from "./browser.mjs";

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
