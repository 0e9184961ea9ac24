// What runs inside the page, before the page's own script: it watches, reads tables, and pages through them.
// Playwright sends the function's source, so it uses nothing from outside itself.

export function inside() {
  const clean = (text) => text.replace(/\s+/g, " ").trim();
  const section = (name) => document.querySelector(`section[data-table="${name}"]`);
  const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const violations = [];
  addEventListener("securitypolicyviolation", (e) => violations.push(`${e.violatedDirective} ${e.blockedURI} ${e.sample}`));

  // A table as a person sees it.
  function read(name) {
    const at = section(name);
    const disabled = (which) => {
      const button = at.querySelector(`button[data-page="${which}"]`);
      return button.disabled || button.getAttribute("aria-disabled") === "true";
    };
    return {
      head: [...at.querySelectorAll("thead th[data-key]")].map((th) => ({ key: th.dataset.key, sort: th.getAttribute("aria-sort") })),
      rows: [...at.querySelectorAll("tbody tr")].map((tr) => ({
        cells: [...tr.cells].map((cell) => clean(cell.textContent)),
        values: [...tr.cells].map((cell) => cell.dataset.value ?? null),
      })),
      links: [...at.querySelectorAll("tbody a[href]")].map((a) => a.getAttribute("href")),
      tags: [...new Set([...at.querySelectorAll("tbody *")].map((el) => el.localName))],
      output: clean(at.querySelector("output").textContent),
      first: disabled("previous"),
      last: disabled("next"),
    };
  }

  // The table once nothing has changed in it for a while: a search may wait for the typist.
  async function settled(name, quiet = 300) {
    await frame();
    let last = performance.now();
    const watch = new MutationObserver(() => (last = performance.now()));
    watch.observe(section(name), { subtree: true, childList: true, characterData: true, attributes: true });
    const end = last + 8000;
    while (performance.now() - last < quiet && performance.now() < end) await wait(30);
    watch.disconnect();
    return read(name);
  }

  // From the page shown to the last one, at most `most` pages.
  async function pages(name, most) {
    const seen = [read(name)];
    while (!seen.at(-1).last && seen.length < most) {
      const before = JSON.stringify(seen.at(-1).rows);
      section(name).querySelector('button[data-page="next"]').click();
      const end = performance.now() + 3000;
      let now = read(name);
      while (JSON.stringify(now.rows) === before && performance.now() < end) {
        await frame();
        now = read(name);
      }
      if (JSON.stringify(now.rows) === before) {
        seen.at(-1).stuck = true;
        break;
      }
      seen.push(now);
    }
    return seen;
  }

  // From a key's press to the frame that shows the rows.
  let stroke = null;
  function time(name) {
    stroke = { from: 0, to: 0 };
    const at = section(name);
    at.addEventListener("keydown", (e) => (stroke = { from: e.timeStamp, to: 0 }), true);
    new MutationObserver(() => {
      const mine = stroke;
      requestAnimationFrame(() => setTimeout(() => (mine.to = performance.now())));
    }).observe(at.querySelector("tbody"), { subtree: true, childList: true, characterData: true, attributes: true });
  }

  const shown = (el) => el.checkVisibility({ visibilityProperty: true }) && el.getClientRects().length > 0;

  // The lightness of the page's background, 0 to 1.
  function lightness() {
    const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const paint = (colour) => {
      probe.clearRect(0, 0, 1, 1);
      probe.fillStyle = colour;
      probe.fillRect(0, 0, 1, 1);
      return probe.getImageData(0, 0, 1, 1).data;
    };
    let found = [document.body, document.documentElement].map((el) => paint(getComputedStyle(el).backgroundColor)).find((c) => c[3] > 127);
    if (!found) {
      document.body.style.setProperty("background-color", "Canvas");
      found = paint(getComputedStyle(document.body).backgroundColor);
      document.body.style.removeProperty("background-color");
    }
    return (0.2126 * found[0] + 0.7152 * found[1] + 0.0722 * found[2]) / 255;
  }

  // Labels of plots that leave their plot or lie on one another.
  function labels() {
    const wrong = [];
    for (const svg of document.querySelectorAll('svg[role="img"]')) {
      if (!shown(svg)) continue;
      const box = svg.getBoundingClientRect();
      const texts = [...svg.querySelectorAll("text")].filter((el) => clean(el.textContent) && shown(el));
      const boxes = texts.map((el) => [clean(el.textContent), el.getBoundingClientRect()]);
      for (const [text, b] of boxes)
        if (b.left < box.left - 2 || b.right > box.right + 2 || b.top < box.top - 2 || b.bottom > box.bottom + 2) wrong.push(`"${text}" leaves its plot`);
      for (let i = 0; i < boxes.length; i++)
        for (let j = i + 1; j < boxes.length; j++) {
          const [a, b] = [boxes[i][1], boxes[j][1]];
          const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
          const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
          // Boxes include the space between lines.
          if (wide > 2 && high > 0.35 * Math.min(a.height, b.height)) wrong.push(`"${boxes[i][0]}" and "${boxes[j][0]}" overlap`);
        }
    }
    return wrong;
  }

  window.__inside = { violations, read, settled, pages, time, stroke: () => stroke, shown, clean, lightness, labels };
}
