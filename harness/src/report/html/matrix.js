"use strict";
(() => {
  const page = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);

  /** An element with attributes and children; texts are never read as markup. */
  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };

  const cell = (it, place) => make(place ? "td" : "th", place ? { class: it.class } : { class: it.class, scope: "row" },
    it.text, ...it.lines.map((line) => make("div", { class: "dim" }, line)));

  const all = [];
  const tables = page.tables.map((table) => {
    const rows = table.rows.map((row) => {
      const element = make("tr", {}, ...row.cells.map(cell));
      const text = [table.name, ...row.cells.flatMap((it) => [it.text, ...it.lines])].join(" ").toLowerCase();
      all.push({ element, text, outcomes: row.outcomes });
      return element;
    });
    const section = make("section", {}, make("h2", {}, table.name), ...table.notes.map((note) => make("p", { class: "inconclusive" }, note)));
    if (rows.length) {
      section.append(make("table", {},
        make("thead", {}, make("tr", {}, ...table.columns.map((name) => make("th", { scope: "col" }, name)))),
        make("tbody", {}, ...rows)));
    }
    return { section, rows };
  });

  const [verdict, ...notes] = page.verdict.split("\n");
  byId("head").append(make("h1", {}, `${page.title}: `, make("span", { class: page.class }, verdict)),
    ...notes.map((note) => make("p", { class: "inconclusive" }, note)));
  byId("tables").append(...tables.map(({ section }) => section));
  byId("outcome").append(make("option", { value: "" }, "any"),
    ...[...new Set(all.flatMap((row) => row.outcomes))].sort().map((value) => make("option", { value }, value)));

  const fields = ["search", "outcome"];
  const filter = () => {
    const [text, outcome] = [byId("search").value.trim().toLowerCase(), byId("outcome").value];
    let shown = 0;
    for (const row of all) {
      row.element.hidden = !((!outcome || row.outcomes.includes(outcome)) && (!text || row.text.includes(text)));
      shown += row.element.hidden ? 0 : 1;
    }
    // A table that could not be filled is told as long as nothing is looked for.
    for (const { section, rows } of tables) section.hidden = rows.length ? rows.every((row) => row.hidden) : Boolean(text || outcome);
    byId("row-count").textContent = shown === all.length ? `${shown} ${page.noun}` : `${shown} of ${all.length} ${page.noun}`;
  };

  /** Filters stand in the address, as `#outcome=survived`, so that a view can be passed on. */
  const restore = () => {
    const given = new URLSearchParams(location.hash.slice(1));
    for (const id of fields) byId(id).value = given.get(id) || "";
  };
  const store = () => {
    const set = fields.filter((id) => byId(id).value).map((id) => [id, byId(id).value]);
    history.replaceState(null, "", `#${new URLSearchParams(set)}`);
  };
  for (const id of fields) byId(id).addEventListener("input", () => { filter(); store(); });
  byId("reset").addEventListener("click", () => { for (const id of fields) byId(id).value = ""; filter(); store(); });
  window.addEventListener("hashchange", () => { restore(); filter(); });
  restore();
  filter();
})();
