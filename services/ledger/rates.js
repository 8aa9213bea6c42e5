// The rates on the ledger's page: asked when somebody chooses, and once a minute; a part of page.js, which comes first.
"use strict";

const RATES_EVERY_MS = 60000;
let rateTurn = 0;

function rateCell(figure) {
  if (!figure.of) return make("td", { class: "number zero" }, "–");
  const percent = (value) => (value * 100).toFixed(1) + "%";
  const [value, of] = "rate" in figure
    ? [percent(figure.rate), `${figure.many}/${figure.of}`]
    : [`${figure.median_h.toFixed(1)} / ${figure.p90_h.toFixed(1)}`, String(figure.of)];
  const under = figure.small ? [of + " ", make("b", {}, "小样本 "), english("small")] : [of];
  return make("td", { class: "number" + (figure.small ? " small" : "") }, value, make("small", {}, ...under));
}
function ratesTable(found) {
  const named = (by) => header(...words.rate_groups[by]);
  const names = Object.keys(found.total);
  const labels = found.by.length ? found.by.map(named) : [header("", "")];
  const columns = [...labels, ...names.map((name) => header(...words.rate_figures[name], "number"))];
  const cells = (rates) => names.map((name) => rateCell(rates[name]));
  const rows = found.groups.map((group) => make("tr", {},
    ...found.by.map((by) => make("td", { class: "name" }, group.names[by])), ...cells(group.rates)));
  const span = String(Math.max(1, found.by.length));
  const total = make("th", { scope: "row", colspan: span }, "合计 ", english("total"));
  return cards(table("三率", columns, rows, [make("tr", {}, total, ...cells(found.total))]), columns, labels.length);
}
function ratesAsked() {
  const asked = [...new FormData($("rates-ask"))].filter(([, value]) => value);
  return new URLSearchParams(asked).toString();
}
async function rates() {
  const mine = ++rateTurn;
  const asked = ratesAsked();
  for (const format of ["csv", "xlsx"]) $("rates-" + format).setAttribute("href", `/api/rates?${asked}&format=${format}`);
  let inside;
  try {
    const found = await ask("/api/rates?" + asked);
    $("rates-below").textContent = String(found.small_below);
    inside = ratesTable(found);
  } catch (error) { inside = failed(error); }
  if (mine === rateTurn) $("rates").replaceChildren(inside);
}
const RATES_OF = Object.entries(words.rate_groups).map(([by, told]) => [by, told.join(" ")]);
$("rates-by").replaceChildren(...[["", "合计 total"], ...RATES_OF].map(([value, text]) => make("option", { value }, text)));
$("rates-by").value = "department";
$("rates-ask").addEventListener("change", rates);
$("rates-ask").addEventListener("submit", (event) => { event.preventDefault(); rates(); });
setInterval(rates, RATES_EVERY_MS);
rates();
