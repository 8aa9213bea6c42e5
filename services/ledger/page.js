// The ledger's page: asks every two seconds and shows what it is told. Everything from reports is set as text.
"use strict";

const EVERY_MS = 2000;
const words = JSON.parse(document.getElementById("words").textContent);
const $ = (id) => document.getElementById(id);
let shown = "";

/** Make an element; children are elements, or strings that become text. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}
const english = (text) => make("span", { lang: "en" }, text);
const both = ([zh, en]) => [zh + " ", english(en)];
const header = (zh, en, kind = "") => make("th", { scope: "col", class: kind, "data-name": zh }, zh + " ", english(en));
const number = (value, red = false) =>
  make("td", { class: "number" + (value ? (red ? " red" : "") : " zero") }, String(value));

function table(label, columns, rows, foot = []) {
  const head = make("thead", {}, make("tr", {}, ...columns));
  const made = make("table", { "aria-label": label }, head, make("tbody", {}, ...rows));
  if (foot.length) made.append(make("tfoot", {}, ...foot));
  return made;
}

// --- the lines that can be opened ---------------------------------------------------------------------------------

function opening(row, ...cells) {
  const button = make("button", { type: "button", class: "id", "data-id": row.id }, row.id.slice(0, 13));
  button.setAttribute("aria-label", "经过 history " + row.id);
  const line = make("tr", { class: "open" }, make("td", {}, button), ...cells);
  line.addEventListener("click", () => history(row.id));
  return line;
}
function matter(row) {
  const [zh, en] = words.kinds[row.kind] || [row.kind, ""];
  return [
    make("td", { class: "kind" }, `${zh} · ${row.category}`, make("small", { lang: "en" }, `${en} · ${row.code}`)),
    make("td", { class: "where" }, row.community, make("small", {}, row.place)),
    make("td", { class: "what" }, row.what),
  ];
}
const MATTER = [["事件", "incident"], ["类别", "kind"], ["地点", "where"], ["内容", "what"]];

const named = (...more) => [...MATTER, ...more].map(([zh, en, kind]) => header(zh, en, kind));
const at = (text) => make("span", { class: "at" }, text);

function unowned(rows) {
  const columns = named(["上报", "reported"], ["升级", "escalated", "number"]);
  const lines = rows.map((row) => opening(row, ...matter(row),
    make("td", { class: "when" }, row.reported), number(row.escalations, true)));
  return cards(table("无人负责", columns, lines), columns);
}
function overdue(rows) {
  const columns = named(["谁", "who"], ["期限", "due"]);
  return cards(table("逾期", columns, rows.map((row) => opening(row, ...matter(row),
    make("td", {}, row.unit),
    make("td", { class: "when red" }, `${row.deadline.zh} ${row.due}`, make("small", { lang: "en" }, row.deadline.en))))), columns);
}
function items(rows) {
  const columns = named(["状态", "status"], ["责任", "owner"], ["期限", "due"]);
  const wasLate = (row) => (row.late ? [make("small", { class: "red" }, "曾逾期 ", english("was late"))] : []);
  return cards(table("清单", columns, rows.map((row) => opening(row, ...matter(row),
    make("td", {}, ...both(words.statuses[row.status] || [row.status, ""])),
    make("td", { class: "owner" }, row.lead || "—", make("small", {}, row.owners)),
    make("td", { class: "when" }, row.due || "—", ...wasLate(row))))), columns);
}
function broken(rows) {
  const columns = named(["谁", "who"], ["期限", "due"], ["逾期", "late"], ["升级到", "climbed to"], ["督办", "case"]);
  const ended = (row) => (row.ended ? [row.ended + " ", at(row.ended_at)] : ["未履行 still open"]);
  const made = cards(table("失信事项", columns, rows.map((row) => opening(row, ...matter(row),
    make("td", {}, row.unit, make("small", {}, ...both(words.sides[row.side] || [row.side, ""]))),
    make("td", { class: "when" }, row.deadline.zh + " ", at(row.due), make("small", { lang: "en" }, row.deadline.en)),
    make("td", { class: "late" + (row.ended ? "" : " red") }, row.late, make("small", {}, ...ended(row))),
    make("td", {}, row.post || (row.rungs ? "催办 reminded" : "无人知晓 nobody was told")),
    make("td", { class: "case" }, row.case || "—", make("small", {}, row.explanation))))), columns);
  made.classList.add("dense");
  return made;
}
/** Make a card of each line where the page is narrow; the columns from the place `named` on are named in it. */
function cards(made, columns, named = MATTER.length) {
  made.classList.add("cards");
  for (const part of made.children) for (const row of part.rows) {
    // The first cell of a foot may span more columns than one.
    const spanned = columns.length - row.children.length;
    [...row.children].forEach((cell, place) => {
      const name = columns[place + spanned]?.dataset.name;
      if (name && place + spanned >= named && cell.tagName !== "TH") cell.dataset.label = name;
    });
  }
  return made;
}

const nothing = () => make("p", { class: "nothing" }, "没有 ", english("none"));

function first(name, found, show) {
  $(name + "-total").textContent = found.total;
  $(name).parentElement.classList.toggle("none", found.total === 0);
  const inside = found.total ? [show(found.rows)] : [nothing()];
  const left = found.total - found.rows.length;
  if (left > 0) inside.push(all(name, `另有 ${left} 项，查看全部`, `${left} more, show all`));
  $(name).replaceChildren(...inside);
}
function all(name, zh, en) {
  const button = make("button", { type: "button", class: "more", "data-id": "all-" + name }, zh + " ", english(en));
  button.addEventListener("click", () => list(name));
  return button;
}

// --- the tables of numbers ----------------------------------------------------------------------------------------

const LIST_OF = { demand: "demands", suggestion: "suggestions", hazard: "hazards", dispute: "disputes", instability: "instabilities" };

function counts(one) {
  const present = Object.keys(words.statuses).filter((status) => one.total[status]);
  const cells = (statuses) => [
    ...present.map((status) => number(statuses[status] || 0)),
    number(Object.values(statuses).reduce((sum, each) => sum + each, 0)),
  ];
  const columns = [header("社区", "community"), ...present.map((each) => header(...words.statuses[each], "number")), header("合计", "total", "number")];
  const rows = one.rows.map((row) => make("tr", {}, make("td", { class: "name" }, row.name), ...cells(row.statuses)));
  const foot = [make("tr", {}, make("th", { scope: "row" }, "合计 ", english("total")), ...cells(one.total))];
  const [zh, en] = words.kinds[one.kind];
  const title = make("h2", {}, make("span", {}, zh + " ", english(en)), all(LIST_OF[one.kind], "逐条", "line by line"));
  return make("section", {}, title, make("div", { class: "scroll" }, table(zh, columns, rows, foot)));
}
function burdens(rows) {
  const columns = [header("部门", "department"), ...[["在办", "owed"], ["逾期", "overdue"], ["曾逾期", "ever late"], ["办结", "done"]].map(([zh, en]) => header(zh, en, "number"))];
  return table("谁负责什么", columns, rows.map((row) => make("tr", {}, make("td", {}, row.name),
    number(row.owed), number(row.overdue, true), number(row.late), number(row.done))));
}
const BAD = new Set(["unowned.demand_or_suggestion", "unowned.hazard", "lost", "duplicates"]);
function figure(one) {
  const unknown = one.value === null;
  const red = unknown || (BAD.has(one.name) && one.value > 0);
  return make("div", {}, make("dt", {}, one.zh + " ", english(one.en)), make("dd", red ? { class: "red" } : {}, unknown ? "未知" : String(one.value)));
}

// --- one after another --------------------------------------------------------------------------------------------

function show(found) {
  $("at").textContent = found.at;
  $("sample").hidden = !found.sample;
  const { at, ...rest } = found;
  const text = JSON.stringify(rest);
  if (text === shown) return;
  shown = text;
  const focused = document.activeElement?.dataset?.id;
  first("unowned", found.unowned, unowned);
  first("overdue", found.overdue, overdue);
  $("lists").replaceChildren(...found.lists.map(counts));
  $("burdens").replaceChildren(burdens(found.burdens));
  $("figures").replaceChildren(...found.figures.map(figure));
  $("trouble").hidden = !found.trouble;
  $("trouble").textContent = found.trouble ? `丢失未知 what was lost is not known: ${found.trouble}` : "";
  // Whoever is moving through the page by keyboard stays where they are.
  if (focused && !$("dialog").open) document.querySelector(`main [data-id="${CSS.escape(focused)}"]`)?.focus();
}

let state = "";
function tell(now, zh, en) {
  if (state === now) return;
  state = now;
  $("state").className = "state " + now;
  $("state").replaceChildren(zh + " ", english(en));
}

/** What the ledger will not answer, and the sentence that says why. */
class Refused extends Error {}
async function ask(path) {
  const response = await fetch(path, { signal: AbortSignal.timeout(10000) });
  if (response.status === 400 || response.status === 404) throw new Refused((await response.json()).error);
  if (!response.ok) throw new Error(String(response.status));
  return response.json();
}
function failed(error) {
  const told = error instanceof Refused ? [error.message] : ["读取失败 ", english("it could not be read")];
  return make("p", { class: "notice" }, ...told);
}
async function look() {
  try {
    show(await ask("/api/summary"));
    tell("on", "实时", "live");
  } catch {
    tell("off", "连接中断，数字可能已过时", "no answer: what is shown may be old");
  }
  setTimeout(look, EVERY_MS);
}

// --- the dialog ---------------------------------------------------------------------------------------------------

let back = null;
let wanted = 0;
let shownWhole = false;
/** What was shown before, the last on top: what is opened from a list leads back to it. */
let trail = [];
async function open(title, path, body) {
  const mine = ++wanted;
  const dialog = $("dialog");
  if (!dialog.open) { back = document.activeElement?.dataset?.id; dialog.showModal(); }
  else if (shownWhole) trail.push({ title: [...$("dialog-title").childNodes], inside: [...$("dialog-body").childNodes], scrolled: dialog.scrollTop, focused: document.activeElement });
  shownWhole = false;
  $("back").hidden = !trail.length;
  $("dialog-title").replaceChildren(...title);
  $("dialog-body").replaceChildren("…");
  $("dialog-title").focus();
  let inside;
  try { inside = body(await ask(path)); } catch (error) { inside = failed(error); }
  if (mine !== wanted) return;
  $("dialog-body").replaceChildren(inside);
  dialog.scrollTop = 0;
  shownWhole = true;
}
function goBack() {
  const last = trail.pop();
  wanted += 1;
  shownWhole = true;
  $("back").hidden = !trail.length;
  $("dialog-title").replaceChildren(...last.title);
  $("dialog-body").replaceChildren(...last.inside);
  $("dialog").scrollTop = last.scrolled;
  last.focused?.focus({ preventScroll: true });
}
const TITLES = { unowned: ["无人负责", "nobody owns"], overdue: ["逾期", "overdue"], ...Object.fromEntries(Object.entries(LIST_OF).map(([kind, name]) => [name, words.kinds[kind]])) };
const SHOWS = { unowned, overdue };
function list(name, filters = {}) {
  const path = (after) => `/api/lists/${name}?` + new URLSearchParams(after ? { ...filters, after } : filters);
  open(both(TITLES[name]), path(), (found) => {
    const listed = pages(found, SHOWS[name] || items, path);
    if (!found.named?.length) return listed;
    // What is asked for by its id is shown whichever list it is on.
    const title = make("h3", {}, "编号相符 ", english("of this id"));
    return make("div", {}, title, items(found.named), make("h3", {}, ...both(TITLES[name])), listed);
  });
}
/** Show a list as far as it was read, with a button for what follows. */
function pages(found, shows, path) {
  const inside = make("div", {});
  const made = shows(found.rows);
  const none = nothing();
  const more = make("button", { type: "button", class: "more" }, "更多 ", english("more"));
  const grown = (one) => {
    made.hidden = !made.tBodies[0].rows.length;
    more.hidden = !one.next;
    none.hidden = !made.hidden || !more.hidden;
    more.onclick = async () => {
      more.disabled = true;
      inside.querySelector(".notice")?.remove();
      try {
        const next = await ask(path(one.next));
        made.tBodies[0].append(...shows(next.rows).tBodies[0].rows);
        more.disabled = false;
        grown(next);
      } catch (error) { inside.append(failed(error)); more.disabled = false; }
    };
    // A page of a search may be empty while the list goes on; once the dialog is closed nobody waits for it.
    if (one.next && !one.rows.length) setTimeout(() => { if (inside.isConnected && !more.disabled) more.onclick(); });
  };
  inside.append(made, none, more);
  grown(found);
  return inside;
}
function history(id) {
  open(["经过 ", english("history"), " " + id], "/api/incidents/" + encodeURIComponent(id), (found) => {
    const entries = found.entries.map((entry) => make("li", { class: entry.type },
      make("span", { class: "when" }, entry.at),
      make("span", { class: "act" }, entry.zh + " ", english(entry.en), make("span", { class: "who" }, [entry.who, entry.by].filter(Boolean).join(" · "))),
      make("p", {}, entry.what)));
    return make("div", {}, make("ol", { class: "history" }, ...entries), ...(found.home ? [homeOf(found.home)] : []));
  });
}
/** Where a repeat goes on: in the incident that it was attached to. */
function homeOf(id) {
  const button = make("button", { type: "button", class: "id" }, id);
  button.addEventListener("click", () => history(id));
  return make("p", { class: "notice" }, "后续见并入的事件 ", english("it goes on in the incident it is attached to"), " ", button);
}

// --- rounds of inspection -----------------------------------------------------------------------------------------

const CAME_TO = [["发现", "found", "found"], ["已整改", "rectified", "rectified"], ["复查合格", "of these held", "reinspected"], ["复查不合格", "did not hold", "failing"], ["不予受理", "refused", "refused"], ["未整改", "still open", "open"]];
const cameTo = () => CAME_TO.map(([zh, en]) => header(zh, en, "number"));
const counted = (row) => CAME_TO.map(([, , name]) => number(row[name], name === "open" || name === "failing"));
/** A line that leads on, by its button or wherever it is clicked. */
function leading(text, label, go, ...cells) {
  const button = make("button", { type: "button", class: "id" }, text);
  button.setAttribute("aria-label", label);
  const line = make("tr", { class: "open" }, make("td", {}, button), ...cells);
  line.addEventListener("click", go);
  return line;
}
function byLevel() {
  const columns = [header("网格", "grid level"), header("次数", "rounds", "number"), ...cameTo()];
  open(["排查 ", english("rounds of inspection")], "/api/rounds", ({ rows }) => cards(table("排查", columns, rows.map((row) =>
    leading(`${row.grid_level} 级`, `${row.grid_level} 级 level`, () => ofLevel(row.grid_level), number(row.rounds), ...counted(row)))), columns, 1));
}
function ofLevel(level) {
  const columns = [header("排查", "round"), header("时间", "when"), header("社区", "community"), header("内容", "purpose"), ...cameTo(), header("复查", "looked again", "number")];
  open([`${level} 级网格排查 `, english(`rounds of grid level ${level}`)], `/api/rounds/levels/${level}`, ({ rows }) => !rows.length ? nothing() : cards(table("排查", columns, rows.map((row) =>
    leading(row.id.slice(0, 13), "排查 round " + row.id, () => ofRound(row.id), make("td", { class: "when" }, row.inspected_at),
      make("td", {}, row.community), make("td", {}, row.purpose), ...counted(row), number(row.rechecked)))), columns, 4));
}
function ofRound(id) {
  const columns = [header("事件", "incident"), header("类别", "kind"), header("内容", "what"), header("结果", "what became of it"), header("本次复查", "held then"), header("最近复查", "held last")];
  const held = (holds) => make("td", { class: holds === false ? "red" : "" }, { true: "到位 holds", false: "不到位 does not hold", null: "" }[holds]);
  open(["排查 ", english("round"), " " + id], "/api/rounds/" + encodeURIComponent(id), ({ rows }) => !rows.length ? nothing() : cards(table("排查", columns, rows.map((row) =>
    leading(row.report.slice(0, 13), "经过 history " + row.report, () => history(row.report), make("td", {}, row.kind),
      make("td", { class: "what" }, row.description), make("td", {}, row.fate), held(row.rechecked), held(row.holds)))), columns, 3));
}
$("rounds").addEventListener("click", byLevel);

// --- what is looked for -------------------------------------------------------------------------------------------

const ALL = ["", "全部 all"];
function choices(name, options, form = "ask") {
  const chosen = $(form).elements[name];
  chosen.replaceChildren(...options.map(([value, text]) => make("option", { value }, text)));
}
choices("list", Object.entries(TITLES).map(([name, told]) => [name, told.join(" ")]));
choices("status", [ALL, ...Object.entries(words.statuses).map(([code, told]) => [code, told.join(" ")])]);
for (const name of ["community", "category", "department"]) choices(name, [ALL, ...Object.entries(words[name])]);
const told = (names) => [ALL, ...Object.entries(names).map(([code, both]) => [code, both.join(" ")])];
choices("unit", [ALL, ...Object.entries(words.unit)], "ask-broken");
choices("side", told(words.sides), "ask-broken");
choices("deadline", told(words.deadlines), "ask-broken");
choices("open", [ALL, ["yes", "未履行 still open"], ["no", "已了结 ended"]], "ask-broken");
const given = (form) => Object.fromEntries([...new FormData($(form))].filter(([, value]) => value.trim()));
$("ask-broken").addEventListener("submit", (event) => {
  event.preventDefault();
  const asked = given("ask-broken");
  const path = (after) => "/api/broken?" + new URLSearchParams(after ? { ...asked, after } : asked);
  open(["失信事项 ", english("broken promises")], path(), (found) => {
    const { total, open: still } = found.counts;
    $("dialog-title").append(" ", make("b", {}, String(total)), ` · 未履行 ${still} `, english("still open"));
    return pages(found, broken, path);
  });
});
$("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  const { list: name, ...filters } = given("ask");
  list(name, filters);
});

// --- closing, and coming from elsewhere ---------------------------------------------------------------------------

$("close").addEventListener("click", () => $("dialog").close());
$("back").addEventListener("click", goBack);
$("dialog").addEventListener("click", (event) => { if (event.target === $("dialog")) $("dialog").close(); });
$("dialog").addEventListener("close", () => { wanted += 1; trail = []; shownWhole = false; $("dialog-body").replaceChildren(); if (back) document.querySelector(`main [data-id="${CSS.escape(back)}"]`)?.focus(); });
// `/#<incident>` names one incident's history, so that it can be passed on.
function follow() {
  const id = location.hash.slice(1);
  if (/^[0-9a-f-]{36}$/.test(id)) history(id);
}
window.addEventListener("hashchange", follow);
follow();
look();
