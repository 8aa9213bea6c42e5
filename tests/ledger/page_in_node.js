// Runs the page's scripts on just as much of a browser as they need: `node page_in_node.js page.js rates.js`.
"use strict";
const assert = require("node:assert");
const fs = require("node:fs");
const vm = require("node:vm");

class Part {
  constructor(tag) { Object.assign(this, { tag, tagName: tag.toUpperCase(), children: [], dataset: {}, listeners: {}, elements: {}, parentElement: null, hidden: false, disabled: false, open: false, className: "", textContent: "" }); }
  classList = { add() {}, toggle() {} };
  get isConnected() { return this.root === true || Boolean(this.parentElement?.isConnected); }
  get rows() { return this.children; }
  get tBodies() { return this.children.filter((each) => each.tag === "tbody"); }
  get childNodes() { return this.children; }
  setAttribute(name, value) { if (name.startsWith("data-")) this.dataset[name.slice(5)] = value; else this[name] = value; }
  addEventListener(name, heard) { this.listeners[name] = heard; }
  append(...parts) {
    for (const each of parts.flatMap((one) => (one instanceof Part || typeof one === "string" ? [one] : [...one]))) {
      if (each instanceof Part) each.parentElement = this;
      this.children.push(each);
    }
  }
  replaceChildren(...parts) { for (const each of this.children) if (each instanceof Part) each.parentElement = null; this.children = []; this.append(...parts); }
  querySelector() { return null; }
  focus() {}
  showModal() { this.open = true; }
  close() { this.open = false; this.listeners.close(); }
}

const parts = {};
const byId = (id) => (parts[id] ??= Object.assign(new Part(id), { root: true, parentElement: new Part("section") }));
const words = { kinds: {}, statuses: {}, sides: {}, deadlines: {}, community: {}, category: {}, department: {}, unit: {} };
for (const kind of ["demand", "suggestion", "hazard", "dispute", "instability"]) words.kinds[kind] = [kind, kind];
words.rate_groups = { department: ["部门", "department"] };
words.rate_figures = { response: ["响应率", "response rate"], handling: ["办理用时", "handling time"] };
byId("words").textContent = JSON.stringify(words);
byId("ask").elements = Object.fromEntries(["list", "community", "category", "status", "department"].map((name) => [name, new Part("select")]));
byId("rates-ask").entries = [["by", "department"], ["from", ""], ["to", "2021-03-31"]];
const RATES = {
  by: ["department"], small_below: 10,
  groups: [{ names: { department: "区水务局" }, rates: { response: { rate: 0.8571, many: 6, of: 7, small: true }, handling: { median_h: 3.5, p90_h: 12.25, of: 20, small: false } } }],
  total: { response: { rate: null, many: 0, of: 0, small: false }, handling: { median_h: 3.5, p90_h: 12.25, of: 20, small: false } },
};
const rated = [];
byId("ask-broken").elements = Object.fromEntries(["unit", "side", "deadline", "open"].map((name) => [name, new Part("select")]));
const asked = [];
const rounds = [];
const page = vm.createContext({
  document: { getElementById: byId, createElement: (tag) => new Part(tag), querySelector: () => null, activeElement: null },
  window: new Part("window"), location: { hash: "" }, CSS: { escape: String }, AbortSignal, URLSearchParams, setTimeout,
  setInterval() {}, FormData: class { constructor(form) { return form.entries; } },
  fetch: (path) => new Promise((answer) => {
    if (path.startsWith("/api/rates")) { rated.push(path); answer({ ok: true, status: 200, json: async () => RATES }); }
    if (path.startsWith("/api/lists/")) asked.push((found) => answer({ ok: true, status: 200, json: async () => found }));
    if (path.startsWith("/api/rounds")) {
      rounds.push(path);
      const texts = { inspected_at: "", community: "", purpose: "", kind: "", description: "", fate: "" };
      const row = { ...texts, id: "0123", report: "4567", grid_level: 3, open: 1, holds: null, rechecked: false };
      answer({ ok: true, status: 200, json: async () => ({ rows: [row] }) });
    }
  }),
});
for (const script of process.argv.slice(2)) vm.runInContext(fs.readFileSync(script, "utf8"), page);
const said = (part) => (typeof part === "string" ? part : part.textContent + part.children.map(said).join(""));
const settled = () => new Promise((done) => setTimeout(done, 20));
const button = () => byId("dialog-body").children[0].children[2];

async function main() {
  page.list("demands", { q: "water" });
  for (const turn of [0, 1]) {
    await settled();
    assert.equal(asked.length, turn + 1, "an empty page is followed by the next one");
    asked[turn]({ rows: [], next: String(turn + 1) });
  }
  await settled();
  assert.equal(asked.length, 3);
  assert(button().disabled, "what is on its way can't be asked for once more");
  byId("dialog").close();
  asked[2]({ rows: [], next: "3" });
  await settled();
  assert.equal(asked.length, 3, "nobody waits for a list that was closed");
  assert.deepEqual(rated, ["/api/rates?by=department&to=2021-03-31"]);
  const [made] = byId("rates").children;
  const cells = (part) => part.children[0].children.map(said);
  assert.deepEqual(cells(made.children[1]), ["区水务局", "85.7%6/7 小样本 small", "3.5 / 12.320"]);
  assert.deepEqual(cells(made.children[2]), ["合计 total", "–", "3.5 / 12.320"]);
  assert.equal(byId("rates-xlsx").href, "/api/rates?by=department&to=2021-03-31&format=xlsx");
  byId("rounds").listeners.click();
  const line = () => byId("dialog-body").children[0].tBodies[0].rows[0];
  for (let step = 0; step < 2; step++) {
    await settled();
    line().listeners.click();
  }
  await settled();
  assert.equal(line().children[3].dataset.label, "结果", "a card names what no heading stands above");
  assert.deepEqual(rounds, ["/api/rounds", "/api/rounds/levels/3", "/api/rounds/0123"], "each line leads to the next");
  assert.equal(line().children[4].children[0], "不到位 does not hold", "what the round found again is shown");
  assert.equal(line().children[5].children[0], "", "and nothing where nobody has looked again");
  assert(!byId("back").hidden, "what was opened from a list leads back to it");
  for (let step = 0; step < 2; step++) byId("back").listeners.click();
  assert.equal(said(line()).slice(0, 3), "3 级", "one step after the other, to where it began");
  assert(byId("back").hidden);
  assert.equal(rounds.length, 3, "and nothing is asked again");
  process.exit(0);
}
main().catch((error) => { console.error(error.message); process.exit(1); });
