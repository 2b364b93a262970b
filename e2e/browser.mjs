// What the browser's suites share: one browser a file, people in it, and what they do.
import { mkdirSync } from "node:fs";
import { after, before } from "node:test";
import { chromium } from "playwright-core";
import { PASSWORD, at, http } from "./lib.mjs";

export const artifacts = new URL("./artifacts/", import.meta.url).pathname;
const quiet = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
let browser;

before(async () => {
  mkdirSync(artifacts, { recursive: true });
  const args = process.getuid() === 0 ? ["--no-sandbox", ...quiet] : quiet;
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM_PATH ?? "/usr/bin/chromium", args });
});
after(() => browser?.close());

let people = 0;
/** Somebody new, in a browser of their own. */
export async function newcomer(name) {
  const context = await browser.newContext();
  const page = await context.newPage();
  const faults = [];
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("console", (message) => message.type() === "error" && !/401/.test(message.text()) && faults.push(message.text()));
  await page.goto(at.web);
  const username = `${name}-${process.pid % 10000}-${Date.now() % 1e7}-${people++}`;
  await page.getByLabel("Username").fill(username);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Register" }).click();
  await page.getByText("Connected").waitFor();
  return { page, context, username, faults };
}

/** The same person, by a program. */
export async function program(username) {
  const { json } = await http("POST", "/auth/login", { body: { username, password: PASSWORD, tokenDelivery: "body" } });
  return { ...json.user, as: (method, path, body) => http(method, path, { token: json.accessToken, body }) };
}

export const say = async (page, text) => {
  await page.getByRole("textbox", { name: "Message" }).fill(text);
  await page.getByRole("textbox", { name: "Message" }).press("Enter");
};
export const heard = (page, text) => page.locator("li.message:not(.waiting)", { hasText: text }).waitFor();
export const messages = (page) => page.locator("li.message p").allTextContents();
export const create = async (page, name) => {
  await page.getByLabel("New room").fill(name);
  await page.getByRole("button", { name: "Create" }).click();
  await page.getByRole("heading", { name }).waitFor();
};
export const waiting = (page) => page.locator("li.message.waiting");
