// One data table: its parts, search, order, pages, and how fast a search shows.

import { ordered } from "./order.mjs";

const clean = (text) => String(text ?? "").replace(/\s+/g, " ").trim();
const numbers = (text) => (text.match(/\d{1,3}(?:[,.'\u00a0\u202f ]\d{3})+(?!\d)|\d+/g) ?? []).map((n) => Number(n.replace(/\D/g, "")));
const plain = /^(?:a|abbr|bdi|br|button|code|data|details|em|kbd|li|mark|p|pre|samp|small|span|strong|summary|td|th|time|tr|ul|wbr)$/;

export async function table(check, page, name, data, expected) {
  const at = page.locator(`section[data-table="${name}"]`);
  const search = at.locator('input[type="search"]');
  const total = data.rows.length;
  const links = new Set();
  const call = (what, ...given) => page.evaluate(([what, given]) => window.__inside[what](...given), [what, [name, ...given]]);
  const keep = (seen) => {
    for (const href of seen.links) links.add(href);
    return seen;
  };
  const type = async (text) => {
    await search.fill(text);
    return keep(await call("settled"));
  };
  const pages = async (most) => (await call("pages", most)).map(keep);
  const same = (a, b) => JSON.stringify(a.rows) === JSON.stringify(b.rows);
  // What a check changed, the next one does not meet.
  const fresh = async () => {
    await search.fill("");
    await call("settled");
    for (let i = 0; i < 5000; i++) if (!(await page.evaluate(back, name))) break;
    return call("settled");
  };

  const whole = await check(`${name}: parts of the table`, async (fail) => {
    const parts = await at.evaluate((section) => {
      const count = (selector) => section.querySelectorAll(selector).length;
      const input = section.querySelector('input[type="search"]');
      return {
        counts: {
          'input[type="search"]': count('input[type="search"]'),
          table: count("table"),
          tbody: count("tbody"),
          output: count("output"),
          'button[data-page="previous"]': count('button[data-page="previous"]'),
          'button[data-page="next"]': count('button[data-page="next"]'),
        },
        label: input && (clean([...input.labels].map((l) => l.textContent).join("")) || input.getAttribute("aria-label") || input.getAttribute("aria-labelledby")),
        heads: [...section.querySelectorAll("thead th")].map((th) => ({ key: th.dataset.key, scope: th.getAttribute("scope"), buttons: th.querySelectorAll("button").length, text: clean(th.textContent) })),
        visible: window.__inside.shown(section),
      };
      function clean(text) {
        return text.replace(/\s+/g, " ").trim();
      }
    });
    for (const [selector, count] of Object.entries(parts.counts)) if (count !== 1) fail(`${count} of ${selector}, not one`);
    if (!parts.label) fail("the search has no label");
    if (!parts.visible) fail("the section is not visible");
    if (!parts.heads.length) fail("no headers");
    for (const head of parts.heads) {
      if (head.scope !== "col" || !head.key || head.buttons !== 1 || !head.text) fail(`header ${JSON.stringify(head)}: wants scope="col", data-key, and one button with text`);
      else if (!data.columns.includes(head.key)) fail(`data-key ${head.key} is not in the data's columns`);
    }
    const odd = data.rows.findIndex((row) => !Array.isArray(row) || row.length !== data.columns.length);
    if (odd >= 0) fail(`data row ${odd} has not one value a column`);
    return `${parts.heads.length} columns`;
  });
  if (!whole) return links;

  let start;
  await check(`${name}: rows`, async (fail) => {
    start = keep(await call("settled"));
    if (expected !== undefined && total !== expected) fail(`${total} rows in the data, ${expected} expected`);
    if (total === 0) {
      if (start.rows.length) fail(`${start.rows.length} rows shown of none`);
    } else if (start.rows.length < 1 || start.rows.length > 100) fail(`${start.rows.length} rows shown at once`);
    if (!numbers(start.output).includes(total) && !(total === 0 && none(start.output))) fail(`the output says "${start.output}", not ${total}`);
    const odd = start.rows.find((row) => row.cells.length !== start.head.length);
    if (odd) fail(`a row of ${odd.cells.length} cells under ${start.head.length} headers`);
    return `${start.rows.length} of ${total} shown, "${start.output}"`;
  });
  if (!start) return links;

  await check(`${name}: pages`, async (fail) => {
    if (!start.first) fail("previous is enabled on the first page");
    if (start.last !== total <= start.rows.length) fail(`next is ${start.last ? "disabled" : "enabled"} with ${start.rows.length} of ${total} rows shown`);
    const most = Math.ceil(5000 / Math.max(1, start.rows.length));
    const seen = await pages(most);
    const rows = seen.flatMap((one) => one.rows);
    if (seen.at(-1).stuck) fail(`next on page ${seen.length} is enabled and shows no other rows`);
    const big = seen.find((one) => one.rows.length > 100);
    if (big) fail(`${big.rows.length} rows on a page`);
    if (seen.at(-1).last && rows.length !== total) fail(`${rows.length} rows on all pages together, not ${total}`);
    const tags = new Set(seen.flatMap((one) => one.tags));
    for (const tag of tags) if (!plain.test(tag)) fail(`<${tag}> in the rows`);
    if (seen.length > 1) {
      const previous = at.locator('button[data-page="previous"]');
      await previous.focus();
      await page.keyboard.press("Enter");
      if (!same(await call("settled"), seen.at(-2))) fail("previous by keyboard does not show the page before");
    }
    if (!same(await fresh(), start)) fail("back at the first page the rows differ");
    return `${seen.length} pages, ${seen.at(-1).last ? "to the last" : "no further"}`;
  });

  if (total === 0) {
    await check(`${name}: search in nothing`, async (fail) => {
      const found = await type("zqxj");
      if (found.rows.length) fail(`${found.rows.length} rows`);
      await fresh();
    });
    return links;
  }

  // The rows' values behind what is shown: columns that are shown as they are tell which row of the data it is.
  const sample = (await pages(3)).flatMap((one) => one.rows);
  await fresh();
  const places = start.head.map((head) => data.columns.indexOf(head.key));
  const sets = places.map((place) => new Set(data.rows.map((row) => clean(row[place]))));
  const verbatim = places.map((_, i) => i).filter((i) => sample.every((row) => sets[i].has(row.cells[i])));
  const keyOf = (row) => verbatim.map((i) => row[i]).join("\n");
  const behind = new Map();
  for (const row of data.rows) {
    const key = keyOf(places.map((place) => clean(row[place])));
    if (!behind.has(key)) behind.set(key, []);
    behind.get(key).push(row);
  }
  // undefined: not known, or not one.
  const value = (row, i) => {
    const values = new Set((behind.get(keyOf(row.cells)) ?? []).map((one) => one[places[i]]));
    return values.size === 1 ? [...values][0] : undefined;
  };
  const lower = data.rows.map((row) => verbatim.map((i) => clean(row[places[i]])).join("\n").toLowerCase());
  const inData = (needle) => lower.filter((text) => text.includes(needle.toLowerCase())).length;
  const usable = (text) => text.length >= 3 && text.length <= 60 && !/[\p{C}\p{Z}](?<! )/u.test(text);

  // Of a row in the last tenth, so that not only the page shown is searched.
  const far = data.rows[Math.floor((total - 1) * 0.95)];
  const needle = verbatim
    .map((i) => String(far[places[i]] ?? ""))
    .filter((text) => usable(text) && text === clean(text))
    .map((text) => [inData(text), text])
    .sort((a, b) => a[0] - b[0])[0]?.[1];

  await check(`${name}: search`, async (fail) => {
    if (needle === undefined) return fail("no value of a row to search for is shown as it is in the data");
    if (start.last === false) {
      await at.locator('button[data-page="next"]').click();
      await call("settled");
    }
    const found = await type(needle);
    const least = inData(needle);
    const seen = await pages(50);
    const rows = seen.flatMap((one) => one.rows);
    if (!found.rows.length) fail(`"${needle}" is in ${least} rows, none is shown`);
    if (!found.first) fail("a search from the second page does not show the first page of what it found");
    const without = rows.filter((row) => !row.cells.join(" ").toLowerCase().includes(needle.toLowerCase()) && !(behind.get(keyOf(row.cells)) ?? []).some((one) => one.some((v) => String(v).toLowerCase().includes(needle.toLowerCase()))));
    if (without.length) fail(`${without.length} rows without "${needle}"`);
    if (seen.at(-1).last && rows.length < least) fail(`"${needle}" is in ${least} rows, ${rows.length} found`);
    if (seen.at(-1).last && !numbers(found.output).includes(rows.length)) fail(`${rows.length} rows found, the output says "${found.output}"`);
    const upper = await type(needle.toUpperCase());
    if (upper.rows.length !== found.rows.length) fail(`in capitals it finds ${upper.rows.length} rows, not ${found.rows.length}`);
    const nothing = await type("zqxj no such thing 0x");
    if (nothing.rows.length) fail(`nonsense finds ${nothing.rows.length} rows`);
    if (!none(nothing.output)) fail(`nothing is found, the output says "${nothing.output}"`);
    await type("[(\\*+?<b>&\"'%$");
    if (!same(await type(""), start)) fail("cleared, it does not show the rows of before");
    return `"${needle}" ${found.output}; nothing: "${nothing.output}"`;
  });

  const marked = data.rows.flatMap((row) => verbatim.map((i) => String(row[places[i]] ?? ""))).find((text) => /[<&]/.test(text));
  if (marked !== undefined)
    await check(`${name}: markup in the data is text`, async (fail) => {
      const part = marked.slice(marked.search(/[<&]/)).match(/^[^\p{C}\s]{1,20}/u)[0];
      const found = await type(part);
      if (!found.rows.some((row) => row.cells.some((cell) => cell.includes(part)))) fail(`searched for ${part}, it is in no row shown`);
      await fresh();
      return part;
    });

  for (const [i, head] of start.head.entries())
    await check(`${name}: order by ${head.key}`, async (fail) => {
      const button = at.locator("thead th[data-key]").nth(i).locator("button");
      const taken = {};
      for (const turn of [1, 2]) {
        await button.click();
        const now = await call("settled");
        const sort = now.head[i].sort;
        if (sort !== "ascending" && sort !== "descending") return fail(`aria-sort is ${sort} after click ${turn}`);
        if (taken[sort]) return fail(`aria-sort is ${sort} after both clicks`);
        const others = now.head.filter((one, j) => j !== i && one.sort && one.sort !== "none");
        if (others.length) fail(`aria-sort is on ${others.map((one) => one.key)} as well`);
        taken[sort] = (await pages(total <= 2000 ? 2000 : 5)).flatMap((one) => one.rows);
        if (total <= 2000 && taken[sort].length !== total) fail(`${taken[sort].length} rows when ordered, not ${total}`);
        if (!(await call("read")).first) for (let n = 0; n < 5000; n++) if (!(await page.evaluate(back, name))) break;
      }
      const { ascending: up, descending: down } = taken;
      const raw = (rows) => rows.map((row) => value(row, i)).filter((v) => v !== undefined);
      const judged = [
        // As the page says, as the data says, as it is shown.
        () => [...up, ...down].every((row) => row.values[i] !== null) && ordered(up.map((row) => row.values[i]), down.map((row) => row.values[i])),
        () => raw(up).length > 0 && ordered(raw(up), raw(down), data.rows.map((row) => row[places[i]])),
        () => !raw(up).length && ordered(up.map((row) => row.cells[i]), down.map((row) => row.cells[i])),
      ];
      if (!judged.some((judge) => judge()))
        fail(`not in an order: up ${list(up, i)}, down ${list(down, i)}${raw(up).length ? `; the data's values: up ${raw(up).slice(0, 4)}, down ${raw(down).slice(0, 4)}` : ""}`);
      return `up ${list(up, i, 2)}, down ${list(down, i, 2)}`;
    });

  await check(`${name}: order by keyboard`, async (fail) => {
    const th = at.locator("thead th[data-key]").first();
    // Tab from the search, so that the focus is one of the keyboard.
    await search.focus();
    let reached = false;
    for (let n = 0; n < 20 && !reached; n++) {
      await page.keyboard.press("Tab");
      reached = await th.evaluate((el) => el.contains(document.activeElement));
    }
    if (!reached) return fail("Tab from the search does not reach the first header's button");
    const ring = await page.evaluate(() => {
      const style = getComputedStyle(document.activeElement);
      return (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== "none";
    });
    if (!ring) fail("the focused header button has no outline");
    const before = await th.getAttribute("aria-sort");
    await page.keyboard.press("Enter");
    await call("settled");
    const one = await th.getAttribute("aria-sort");
    await page.keyboard.press("Space");
    await call("settled");
    const other = await th.getAttribute("aria-sort");
    if (one === before || !/ending$/.test(one)) fail(`Enter: aria-sort from ${before} to ${one}`);
    if (other === one || !/ending$/.test(other)) fail(`Space: aria-sort from ${one} to ${other}`);
    if (!(await th.evaluate((el) => el.contains(document.activeElement)))) fail("the focus is lost");
    return `${before}, ${one}, ${other}`;
  });

  await check(`${name}: time of a search`, async (fail) => {
    const text = (needle ?? "abc").slice(0, 4);
    await fresh();
    await call("time");
    await search.focus();
    const times = [];
    for (const key of [...text, ...Array(text.length).fill("Backspace")]) {
      if (key === "Backspace") await page.keyboard.press(key);
      else await page.keyboard.type(key);
      await call("settled", 400);
      const { from, to } = await page.evaluate(() => window.__inside.stroke());
      if (to) times.push(to - from);
    }
    if (!times.length) return fail("no keystroke changed the rows");
    times.sort((a, b) => a - b);
    const slowest = times.at(-1);
    if (slowest > 5000) fail(`${Math.round(slowest)} ms`);
    return `${total} rows, ${times.length} keystrokes: median ${Math.round(times[times.length >> 1])} ms, slowest ${Math.round(slowest)} ms${slowest > 1000 ? " (above 1 s)" : ""}`;
  });
  await fresh();
  return links;
}

const none = (output) => /\bno\b|\bnone\b|\bnothing\b/i.test(output) || numbers(output).includes(0);
const list = (rows, i, most = 4) => rows.slice(0, most).map((row) => JSON.stringify(row.cells[i].slice(0, 40))).join(" ");

function back(name) {
  const button = document.querySelector(`section[data-table="${name}"] button[data-page="previous"]`);
  if (button.disabled || button.getAttribute("aria-disabled") === "true") return false;
  button.click();
  return true;
}
