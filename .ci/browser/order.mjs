// Are values in an order? Which one is the page's choice: numbers, text by code or by language, or severities.

const severities = ["informational", "info", "low", "medium", "high", "critical"];
const two = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
const number = (value) => (typeof value === "number" ? value : Number(String(value).replace(/(?<=\d)[,\u00a0\u202f](?=\d{3})/g, "")));
const numeric = (value) => String(value).trim() !== "" && Number.isFinite(number(value));

const severity = (a, b) => severities.indexOf(String(a).toLowerCase()) - severities.indexOf(String(b).toLowerCase());
const text = [
  (a, b) => two(String(a), String(b)),
  (a, b) => two(String(a).toLowerCase(), String(b).toLowerCase()),
  ...[{}, { numeric: true }, { sensitivity: "base" }, { sensitivity: "base", numeric: true }].map((options) => new Intl.Collator("en", options).compare),
];

// Numbers go by size and severities by weight, never by their letters.
function orders(values) {
  if (values.every((v) => typeof v === "number")) return [(a, b) => a - b];
  if (values.every((v) => severities.includes(String(v).toLowerCase()))) return [severity];
  return values.every(numeric) ? [(a, b) => number(a) - number(b), ...text] : text;
}

export const empty = (value) => value === null || value === undefined || ["", "-", "–", "—"].includes(String(value).trim());
const monotone = (values, compare, sign) => values.every((value, i) => i === 0 || sign * compare(values[i - 1], value) <= 0);

// Is there one order in which `up` rises, `down` falls, and both begin with an extreme of `whole` (where known)?
// Values that are not there may stand at either end.
export function ordered(up, down, whole) {
  const [u, d, w] = [up, down, whole ?? []].map((values) => values.filter((value) => !empty(value)));
  return orders([...u, ...d, ...w]).some(
    (compare) =>
      monotone(u, compare, 1) &&
      monotone(d, compare, -1) &&
      w.every((value) => (!u.length || compare(u[0], value) <= 0) && (!d.length || compare(d[0], value) >= 0)),
  );
}
