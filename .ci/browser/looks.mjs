// How the page comes out: light and dark, narrow, printed, without a script.

import { mkdir } from "node:fs/promises";
import { join } from "node:path";

export async function looks(check, open, axe, directory) {
  if (directory) await mkdir(directory, { recursive: true });
  const save = async (page, name, options = {}) => {
    if (directory) await page.screenshot({ path: join(directory, name), animations: "disabled", ...options });
  };
  const lightness = {};

  for (const [name, options] of [
    ["light", { colorScheme: "light", viewport: { width: 1280, height: 900 } }],
    ["dark", { colorScheme: "dark", viewport: { width: 1280, height: 900 } }],
    ["mobile", { colorScheme: "light", viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true }],
  ]) {
    const page = await open(options);
    lightness[name] = await page.evaluate(() => window.__inside.lightness());

    await check(`layout, ${name}`, async (fail) => {
      await save(page, `${name}.png`);
      const found = await page.evaluate(() => {
        const width = document.documentElement.clientWidth;
        const wide = [...document.body.querySelectorAll("*")].filter((el) => el.getBoundingClientRect().right > width + 1 && window.__inside.shown(el) && !held(el));
        return { width, scroll: document.documentElement.scrollWidth, wide: wide.slice(0, 3).map((el) => el.outerHTML.slice(0, 60)), labels: window.__inside.labels() };
        function held(el) {
          for (let up = el.parentElement; up && up !== document.body; up = up.parentElement) if (getComputedStyle(up).overflowX !== "visible") return true;
          return false;
        }
      });
      if (found.scroll > found.width + 1) fail(`the page is ${found.scroll} wide in ${found.width}: ${found.wide.join(" | ")}`);
      for (const reason of found.labels) fail(reason);
      if (name === "light" && directory) {
        // Chromium draws no image higher than 16384.
        const height = Math.min(16000, await page.evaluate(() => document.documentElement.scrollHeight));
        await save(page, "light-full.png", { fullPage: true, clip: { x: 0, y: 0, width: 1280, height } });
      }
      return `${found.scroll} wide`;
    });
    await page.context().close();

    await check(`accessibility (axe), ${name}`, async (fail) => {
      // The policy keeps axe out as it keeps out everything else.
      const page = await open({ ...options, bypassCSP: true });
      // What is closed is not looked at, so some of it is opened.
      await page.evaluate(() => [...document.querySelectorAll("details")].slice(0, 30).forEach((el) => (el.open = true)));
      await page.addScriptTag({ content: axe });
      const results = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
      const grave = results.violations.filter((v) => v.impact === "serious" || v.impact === "critical");
      for (const v of grave) fail(`${v.id} (${v.impact}, ${v.nodes.length}): ${v.help}; ${v.nodes[0].target.join(" ")}: ${v.nodes[0].failureSummary.split("\n").slice(1, 2).join("").trim()}`);
      const slight = results.violations.filter((v) => !grave.includes(v)).map((v) => `${v.id} (${v.impact}, ${v.nodes.length})`);
      await page.context().close();
      return slight.length ? `lesser: ${slight.join(", ")}` : "no violations";
    });
  }

  await check("dark is dark and light is light", async (fail) => {
    if (lightness.light < 0.7) fail(`the light background has lightness ${lightness.light.toFixed(2)}`);
    if (lightness.dark > 0.3) fail(`the dark background has lightness ${lightness.dark.toFixed(2)}`);
  });

  await check("prints", async (fail) => {
    const page = await open({ viewport: { width: 1280, height: 900 } });
    const pdf = await page.pdf({ format: "A4", printBackground: true, path: directory ? join(directory, "print.pdf") : undefined });
    const pages = (pdf.toString("latin1").match(/\/Type\s*\/Page\b/g) ?? []).length;
    if (pages < 1) fail("no pages");
    await page.context().close();
    return `${pages} pages, ${Math.round(pdf.length / 1024)} KiB`;
  });
}

export async function still(check, page, directory) {
  await check("readable without JavaScript", async (fail) => {
    const found = await page.evaluate(() => {
      const shown = (el) => el.checkVisibility({ visibilityProperty: true }) && el.getClientRects().length > 0;
      const all = (selector) => [...document.querySelectorAll(selector)].filter(shown);
      const rows = (table) => [...table.querySelectorAll("tbody tr, tr:has(> td)")].filter((tr) => tr.textContent.trim()).length;
      const tables = all("table");
      return {
        heading: all("h1").length,
        letters: (document.querySelector("main")?.innerText ?? "").trim().length,
        tables: tables.length,
        empty: tables.filter((table) => !rows(table)).map((table) => table.outerHTML.replace(/\s+/g, " ").slice(0, 60)),
        shells: all("section[data-table]").filter((section) => !rows(section)).map((section) => section.dataset.table),
        controls: all('section[data-table] :is(input, button), section[data-table] output').length,
      };
    });
    if (!found.heading) fail("no h1 visible");
    if (found.letters < 200) fail(`main has ${found.letters} letters visible`);
    if (found.tables - found.empty.length < 1) fail("no table with rows visible");
    for (const table of found.empty) fail(`an empty table is visible: ${table}`);
    for (const name of found.shells) fail(`section ${name} is visible without rows`);
    if (found.controls) fail(`${found.controls} controls of data tables are visible`);
    if (directory) {
      await mkdir(directory, { recursive: true });
      await page.screenshot({ path: join(directory, "without-script.png") });
    }
    return `${found.letters} letters, ${found.tables} tables`;
  });
}
