// Does the monthly report work in a browser?  check.mjs PAGE [--screenshots DIR] [--expect-rows NAME=N]...
//
// run.sh installs what this needs and calls it. One line a check, then "N passed, N failed".

import { readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { count, data, links, plots, policy, structure, text } from "./document.mjs";
import { inside } from "./inside.mjs";
import { looks, still } from "./looks.mjs";
import { table } from "./table.mjs";

// require() looks in NODE_PATH, import does not.
const require = createRequire(import.meta.url);
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

function usage(problem) {
  console.error(`${problem}\ncheck.mjs PAGE [--screenshots DIR] [--expect-rows NAME=N]...`);
  process.exit(2);
}

let given;
try {
  given = parseArgs({ allowPositionals: true, options: { screenshots: { type: "string" }, "expect-rows": { type: "string", multiple: true, default: [] } } });
} catch (error) {
  usage(error.message);
}
if (given.positionals.length !== 1) usage("one page, please");
const file = resolve(given.positionals[0]);
if (!statSync(file, { throwIfNoEntry: false })?.isFile()) usage(`no page at ${given.positionals[0]}`);
const directory = given.values.screenshots && resolve(given.values.screenshots);
const expected = new Map();
for (const one of given.values["expect-rows"]) {
  const [, name, rows] = /^(\w[\w-]*)=(\d+)$/.exec(one) ?? usage(`--expect-rows ${one} is not NAME=N`);
  expected.set(name, Number(rows));
}

// The page has what attackers typed; a terminal gets none of it raw.
const safe = (line) => line.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (c) => `\\u${c.codePointAt(0).toString(16).padStart(4, "0")}`);
let [passed, failed] = [0, 0];

// Runs one check and prints its line; gives whether it passed.
async function check(name, body) {
  const reasons = [];
  let note;
  try {
    note = await body((reason) => void reasons.push(String(reason)));
  } catch (error) {
    reasons.push(String(error.message).split("\n")[0]);
  }
  if (reasons.length) {
    failed++;
    const more = reasons.length > 8 ? `; and ${reasons.length - 8} more` : "";
    console.log(safe(`FAIL ${name}: ${reasons.slice(0, 8).join("; ")}${more}`));
  } else {
    passed++;
    console.log(safe(`ok   ${name}${note ? `: ${note}` : ""}`));
  }
  return reasons.length === 0;
}

const address = pathToFileURL(file).href;
let browser;
// How often a page of it has crashed, or all of it.
let crashes = 0;

// Everything that any opened page complains about or asks for.
const complaints = new Set();
async function open(options = {}) {
  const context = await browser.newContext({ locale: "en-US", ...options });
  context.setDefaultTimeout(15000);
  if (options.javaScriptEnabled !== false) await context.addInitScript(inside);
  const page = await context.newPage();
  let documents = 0;
  page.on("console", (message) => /error|warning|assert/.test(message.type()) && complaints.add(`console ${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => complaints.add(`uncaught: ${error.message}`));
  page.on("crash", () => {
    crashes++;
    complaints.add("the page crashed");
  });
  page.on("popup", () => complaints.add("a window was opened"));
  page.on("dialog", (dialog) => {
    complaints.add(`a dialog: ${dialog.message()}`);
    dialog.dismiss().catch(() => {});
  });
  page.on("request", (request) => {
    const same = request.url().split("#")[0] === address;
    if (!(same && request.isNavigationRequest() && ++documents === 1)) complaints.add(`requested ${request.url().slice(0, 200)}`);
  });
  await page.goto(address, { timeout: 120000 });
  return page;
}

async function everything() {
  [passed, failed, crashes] = [0, 0, 0];
  complaints.clear();
  browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
  const lost = () => crashes++;
  browser.once("disconnected", lost);
  try {
    const quiet = await open({ javaScriptEnabled: false });
    await still(check, quiet, directory);
    await policy(check, quiet);
    const before = await count(quiet);

    const tables = new Map();
    await check("data of the tables", async (fail) => {
      const sections = await quiet.evaluate(() => [...document.querySelectorAll("section[data-table]")].map((el) => el.dataset.table));
      for (const [name, text] of await data(quiet)) {
        if (tables.has(name)) fail(`${name}: twice`);
        const parsed = JSON.parse(text);
        if (!Array.isArray(parsed.columns) || !Array.isArray(parsed.rows)) fail(`${name}: wants {"columns": […], "rows": [[…]]}`);
        else if (!sections.includes(name)) fail(`${name}: no section[data-table="${name}"]`);
        else tables.set(name, parsed);
      }
      for (const name of new Set(["sessions", "findings", ...sections, ...expected.keys()])) {
        if (!sections.includes(name)) fail(`no section[data-table="${name}"]`);
        else if (!tables.has(name)) fail(`no script[data-rows="${name}"]`);
      }
      if (new Set(sections).size !== sections.length) fail("two sections of one name");
      return [...tables].map(([name, { rows }]) => `${name} ${rows.length}`).join(", ");
    });
    await quiet.context().close();

    const page = await open({ viewport: { width: 1280, height: 900 } });
    await check("loads", async (fail) => {
      const took = await page.evaluate(() => performance.getEntriesByType("navigation")[0].loadEventEnd);
      if (took > 15000) fail(`${Math.round(took)} ms`);
      return `${Math.round(took)} ms, ${(statSync(file).size / 1e6).toFixed(1)} MB`;
    });
    await structure(check, page);
    await plots(check, page);
    await text(check, page, before, "loaded");

    const rendered = new Set();
    for (const [name, rows] of tables) {
      try {
        for (const href of await table(check, page, name, rows, expected.get(name))) rendered.add(href);
      } catch (error) {
        await check(`${name}: the other checks`, () => Promise.reject(error));
      }
    }
    await links(check, open, page, [...rendered]);
    await text(check, page, before, "used");
    await check("no violation of the policy", async (fail) => {
      for (const violation of await page.evaluate(() => window.__inside.violations)) fail(violation);
    });
    await page.context().close();

    await looks(check, open, axe, directory);
    await check("no complaints in the console, no requests", async (fail) => {
      for (const complaint of complaints) fail(complaint);
    });
  } catch (error) {
    await check("the other checks", () => Promise.reject(error));
  } finally {
    browser.off("disconnected", lost);
    await browser.close().catch(() => {});
  }
}

await everything();
if (crashes) {
  // A page that breaks a browser does so again; a browser that broke by itself does not.
  console.log("the browser crashed, and what failed there doesn't count; all is done once more in another one");
  await everything();
}

console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
