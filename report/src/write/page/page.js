"use strict";
// Tables: their rows are data in the page; a hundred of them stand in the document at a time.
const SIZE = 100;
for (const section of document.querySelectorAll("[data-table]")) {
  const name = section.dataset.table;
  const data = JSON.parse(document.querySelector(`script[data-rows="${name}"]`).textContent);
  const body = section.querySelector("tbody");
  const heads = [...section.querySelectorAll("thead th")];
  const kinds = heads.map((head) => head.dataset.kind);
  const search = section.querySelector('input[type="search"]');
  const output = section.querySelector("output");
  const [previous, next] = ["previous", "next"].map((page) => section.querySelector(`button[data-page="${page}"]`));
  let texts = null;
  let order = data.rows.map((_, at) => at);
  let shown = order;
  let page = 0;
  const number = new Intl.NumberFormat("en");

  const cell = (value, kind, href) => {
    const td = document.createElement("td");
    if (kind) td.className = kind === "level" || kind === "coverage" ? "" : kind;
    let inner = td;
    if (href) {
      inner = document.createElement("a");
      inner.href = href;
      td.append(inner);
    } else if (kind === "level" || kind === "coverage") {
      inner = document.createElement("span");
      inner.className = `level ${data.colours[value] ?? ""}`;
      td.append(inner);
    }
    inner.textContent = value === null ? "" : typeof value === "number" ? number.format(value) : value;
    return td;
  };
  const render = () => {
    const rows = shown.slice(page * SIZE, (page + 1) * SIZE).map((at) => {
      const tr = document.createElement("tr");
      const row = data.rows[at];
      // The section that tells more, if there is one.
      const section = data.sections[at];
      tr.append(...heads.map((_, i) => cell(row[i], kinds[i], i === 0 && section ? `#session-${section}` : null)));
      return tr;
    });
    body.replaceChildren(...rows);
    const first = page * SIZE;
    const range = shown.length > SIZE ? `, showing ${number.format(first + 1)} to ${number.format(first + rows.length)}` : "";
    output.textContent = `${number.format(shown.length)} of ${number.format(data.rows.length)} rows${range}`;
    previous.disabled = page === 0;
    next.disabled = (page + 1) * SIZE >= shown.length;
  };
  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    if (words.length > 0 && texts === null) {
      texts = data.rows.map((row) => row.join("\n").toLowerCase());
    }
    shown = words.length === 0 ? order : order.filter((at) => words.every((word) => texts[at].includes(word)));
    page = 0;
    render();
  };
  const levels = { critical: 5, high: 4, medium: 3, low: 2, informational: 1 };
  const sort = (column, direction) => {
    const value = (at) => {
      const value = data.rows[at][column];
      return kinds[column] === "level" ? (levels[value] ?? 0) : value;
    };
    order = data.rows.map((_, at) => at).sort((a, b) => {
      const [one, other] = [value(a), value(b)];
      if (one === other) return a - b;
      // What is not known stands last.
      if (one === null || one === "") return 1;
      if (other === null || other === "") return -1;
      return (one < other ? -1 : 1) * direction;
    });
    heads.forEach((head, i) => {
      if (i === column) head.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    });
    filter();
  };
  heads.forEach((head, column) => {
    head.querySelector("span").remove();
    const button = head.querySelector("button");
    button.hidden = false;
    button.addEventListener("click", () => {
      sort(column, head.getAttribute("aria-sort") === "ascending" ? -1 : 1);
    });
  });
  let waiting = 0;
  search.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(filter, 60);
  });
  previous.addEventListener("click", () => { page -= 1; render(); });
  next.addEventListener("click", () => { page += 1; render(); });
  for (const tool of section.querySelectorAll(".tools")) tool.hidden = false;
  for (const link of document.querySelectorAll(`a[data-search="${name}"]`)) {
    link.addEventListener("click", () => {
      search.value = link.dataset.text;
      filter();
    });
  }
  filter();
}
// A section that is led to is opened.
const open = () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) {
    target.open = true;
    target.scrollIntoView();
  }
};
addEventListener("hashchange", open);
open();
for (const button of document.querySelectorAll("button[data-open]")) {
  button.closest(".more").hidden = false;
  button.addEventListener("click", () => {
    for (const details of document.querySelectorAll("#timelines details")) details.open = button.dataset.open === "all";
  });
}
