// Runs the page's script on just as much of a browser as it needs: `node page_in_node.js page.js`.
"use strict";
const assert = require("node:assert");
const fs = require("node:fs");
const vm = require("node:vm");

class Part {
  constructor(tag) { Object.assign(this, { tag, children: [], dataset: {}, listeners: {}, elements: {}, parentElement: null, hidden: false, disabled: false, open: false, className: "", textContent: "" }); }
  classList = { add() {}, toggle() {} };
  get isConnected() { return this.root === true || Boolean(this.parentElement?.isConnected); }
  get rows() { return this.children; }
  get tBodies() { return this.children.filter((each) => each.tag === "tbody"); }
  setAttribute(name, value) { this[name] = value; }
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
const words = { kinds: {}, statuses: {}, community: {}, category: {}, department: {} };
for (const kind of ["demand", "suggestion", "hazard", "dispute", "instability"]) words.kinds[kind] = [kind, kind];
byId("words").textContent = JSON.stringify(words);
byId("ask").elements = Object.fromEntries(["list", "community", "category", "status", "department"].map((name) => [name, new Part("select")]));
const asked = [];
const rounds = [];
const page = vm.createContext({
  document: { getElementById: byId, createElement: (tag) => new Part(tag), querySelector: () => null, activeElement: null },
  window: new Part("window"), location: { hash: "" }, CSS: { escape: String }, AbortSignal, URLSearchParams, setTimeout,
  fetch: (path) => new Promise((answer) => {
    if (path.startsWith("/api/lists/")) asked.push((found) => answer({ ok: true, status: 200, json: async () => found }));
    if (path.startsWith("/api/rounds")) {
      rounds.push(path);
      const texts = { inspected_at: "", community: "", purpose: "", kind: "", description: "", fate: "" };
      const row = { ...texts, id: "0123", report: "4567", grid_level: 3, open: 1, holds: null, rechecked: false };
      answer({ ok: true, status: 200, json: async () => ({ rows: [row] }) });
    }
  }),
});
vm.runInContext(fs.readFileSync(process.argv[2], "utf8"), page);
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
  byId("rounds").listeners.click();
  const line = () => byId("dialog-body").children[0].tBodies[0].rows[0];
  for (let step = 0; step < 2; step++) {
    await settled();
    line().listeners.click();
  }
  await settled();
  assert.deepEqual(rounds, ["/api/rounds", "/api/rounds/levels/3", "/api/rounds/0123"], "each line leads to the next");
  assert.equal(line().children[4].children[0], "不到位 does not hold", "what the round found again is shown");
  assert.equal(line().children[5].children[0], "", "and nothing where nobody has looked again");
  process.exit(0);
}
main().catch((error) => { console.error(error.message); process.exit(1); });
