// The document as it was written: policy, structure, text that stays text, links, plots.

const risky = "script, img, iframe, object, embed, frame, link, base, form, style, meta, audio, video, source, portal, applet, svg foreignObject, svg image, svg use, svg a, svg animate, svg set";

// How many of each element there are that could load or run something.
export const count = (page) =>
  page.evaluate((risky) => {
    const counts = {};
    for (const el of document.querySelectorAll(risky)) counts[el.localName] = (counts[el.localName] ?? 0) + 1;
    return counts;
  }, risky);

// The data behind the tables, from the document without its script.
export function data(still) {
  return still.evaluate(() => [...document.querySelectorAll('script[type="application/json"][data-rows]')].map((el) => [el.dataset.rows, el.textContent]));
}

export async function policy(check, still) {
  await check("content security policy", async (fail) => {
    const found = await still.evaluate(() => {
      const metas = [...document.querySelectorAll('meta[http-equiv="Content-Security-Policy" i]')];
      const first = document.querySelector("script, style, link, img, svg");
      return { texts: metas.map((m) => m.content), before: metas.length > 0 && (!first || Boolean(metas[0].compareDocumentPosition(first) & Node.DOCUMENT_POSITION_FOLLOWING)), head: metas[0]?.parentElement?.localName };
    });
    if (found.texts.length !== 1) return fail(`${found.texts.length} policies, not one`);
    if (!found.before || found.head !== "head") fail("the policy does not stand in the head before what it governs");
    const rules = new Map(found.texts[0].split(";").map((rule) => rule.trim().split(/\s+/)).filter((rule) => rule[0]).map(([name, ...values]) => [name, values]));
    const want = { "default-src": /^'none'$/, "base-uri": /^'none'$/, "form-action": /^'none'$/, "img-src": /^(data:|'none')$/, "script-src": /^'sha(256|384|512)-[A-Za-z0-9+/=]+'$/, "style-src": /^'sha(256|384|512)-[A-Za-z0-9+/=]+'$/ };
    for (const [name, pattern] of Object.entries(want)) {
      const values = rules.get(name);
      if (!values && name === "img-src") continue;
      if (!values?.length || !values.every((value) => pattern.test(value))) fail(`${name} is ${values?.join(" ") ?? "missing"}`);
      rules.delete(name);
    }
    for (const [name, values] of rules) if (values.join() !== "'none'") fail(`${name} ${values.join(" ")} is not part of the contract`);
  });
}

export async function structure(check, page) {
  await check("title, language, heading, landmark", async (fail) => {
    const found = await page.evaluate(() => {
      const ids = [...document.querySelectorAll("[id]")].map((el) => el.id);
      return {
        mode: document.compatMode,
        title: document.title.trim(),
        lang: document.documentElement.lang,
        charset: document.characterSet,
        viewport: Boolean(document.querySelector('meta[name="viewport"]')),
        h1: [...document.querySelectorAll("h1")].map((el) => el.textContent.trim()),
        main: document.querySelectorAll("main, [role=main]").length,
        twice: [...new Set(ids.filter((id, i) => ids.indexOf(id) !== i))].slice(0, 5),
      };
    });
    if (found.mode !== "CSS1Compat") fail("no doctype");
    if (!found.title) fail("no title");
    if (!found.lang) fail("no lang");
    if (found.charset !== "UTF-8") fail(`read as ${found.charset}`);
    if (!found.viewport) fail("no viewport meta");
    if (found.h1.length !== 1 || !found.h1[0]) fail(`${found.h1.length} h1`);
    if (found.main !== 1) fail(`${found.main} main landmarks`);
    if (found.twice.length) fail(`ids more than once: ${found.twice}`);
    return `"${found.title}"`;
  });
}

// `before` counts the document without its script.
export async function text(check, page, before, when) {
  await check(`text stays text, ${when}`, async (fail) => {
    const after = await count(page);
    for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) if (before[name] !== after[name]) fail(`${after[name] ?? 0} <${name}>, ${before[name] ?? 0} in the document`);
    const found = await page.evaluate(() => {
      const wrong = [];
      const tell = (el) => el.outerHTML.replace(/\s+/g, " ").slice(0, 80);
      for (const el of document.querySelectorAll("iframe, object, embed, frame, base, form, audio, video, portal, applet, foreignObject, meta[http-equiv=refresh i], svg script, svg animate, svg set")) wrong.push(`${tell(el)} has no place here`);
      for (const el of document.querySelectorAll("script")) {
        if (el.src) wrong.push(`${tell(el)} loads`);
        if (el.type && el.type !== "application/json" && el.type !== "module") wrong.push(`${tell(el)} has type ${el.type}`);
        if (el.type === "application/json" && /<\/?script|<!--/i.test(el.textContent)) wrong.push(`data in ${tell(el)} has script tags or comments that are not escaped`);
      }
      for (const el of document.querySelectorAll("*"))
        for (const { name, value } of el.attributes) {
          if (name === "style") wrong.push(`${tell(el)} has a style attribute`);
          if (/^on/i.test(name)) wrong.push(`${tell(el)} has ${name}`);
          if (/^(href|xlink:href|src|srcset|action|formaction|data|poster|background|ping)$/i.test(name)) {
            const link = el.localName === "a" && name === "href";
            const inert = value.startsWith("#") || (value.startsWith("data:image/") && !link);
            if (!inert && !(link && /^https:\/\//.test(value))) wrong.push(`${tell(el)}: ${name} is neither #… nor data:image nor, of a link, https`);
          }
        }
      if ("__pwned" in window) wrong.push("window.__pwned is there");
      return wrong;
    });
    for (const reason of found) fail(reason);
    return Object.entries(after).map(([name, n]) => `${n} ${name}`).join(", ");
  });
}

// `rendered`: links of rows on pages that are not shown any more.
export async function links(check, open, page, rendered) {
  await check("links have their targets", async (fail) => {
    const hrefs = await page.evaluate(() => [...document.querySelectorAll('a[href^="#"]')].map((a) => a.getAttribute("href")));
    const every = [...new Set([...hrefs, ...rendered])].filter((href) => href.startsWith("#"));
    const missing = await page.evaluate((every) => every.filter((href) => href !== "#" && href !== "#top" && !document.getElementById(decodeURIComponent(href.slice(1)))), every);
    if (missing.length) fail(`${missing.length} without a target: ${missing.slice(0, 5).join(" ")}`);
    return `${every.length} different`;
  });

  await check("a row's link leads to its session", async (fail) => {
    const page = await open({ viewport: { width: 1280, height: 900 } });
    const shown = await page.locator('section[data-table] tbody a[href^="#session-"]').evaluateAll((all) => all.map((a) => a.getAttribute("href")));
    const other = rendered.find((href) => href.startsWith("#session-"));
    const tried = shown.length ? [...new Set([shown[0], shown.at(-1)])] : other ? [other] : [];
    if (!tried.length) fail('no a[href^="#session-"] in any row');
    for (const href of tried) {
      if (shown.length) {
        await page.locator("section[data-table] tbody a").and(page.locator(`[href=${JSON.stringify(href)}]`)).first().focus();
        await page.keyboard.press("Enter");
      } else await page.evaluate((href) => (location.hash = href), href);
      await page.waitForTimeout(500);
      const found = await page.evaluate((href) => {
        const el = document.getElementById(decodeURIComponent(href.slice(1)));
        if (!el) return null;
        const box = el.getBoundingClientRect();
        return { hash: location.hash, inView: box.top > -5 && box.top < innerHeight && box.height > 0, shown: window.__inside.shown(el), closed: el.matches("details:not([open])"), text: el.innerText.trim().length };
      }, href);
      if (!found) fail(`${href} has no target`);
      else {
        if (found.hash !== href) fail(`the address ends in ${found.hash}, not ${href}`);
        if (!found.shown || !found.inView) fail(`${href} is not in view`);
        if (found.closed) fail(`${href} is a details that stays closed`);
        if (!found.text) fail(`${href} has no text`);
      }
    }
    await page.context().close();
    return tried.join(", ");
  });
}

export async function plots(check, page) {
  await check("plots have names", async (fail) => {
    const found = await page.evaluate(() => {
      const wrong = [];
      let plots = 0;
      for (const svg of document.querySelectorAll("svg")) {
        if (svg.parentElement.closest("svg") || svg.getAttribute("aria-hidden") === "true") continue;
        plots++;
        const named = (svg.getAttribute("aria-labelledby") ?? "").split(/\s+/).filter(Boolean);
        const what = svg.outerHTML.slice(0, 80);
        if (svg.getAttribute("role") !== "img" || !named.length) wrong.push(`${what} lacks role="img" or aria-labelledby`);
        for (const id of named) if (!document.getElementById(id)?.textContent.trim()) wrong.push(`${what}: no text at #${id}`);
        if (window.__inside.shown(svg) && svg.getBoundingClientRect().width < 20) wrong.push(`${what} has no width`);
      }
      return { plots, wrong };
    });
    for (const reason of found.wrong) fail(reason);
    return `${found.plots} plots`;
  });
}
