(() => {
  /** A text whose long words, which are names of files, fields and variables, break where their parts end. */
  const breakable = (text) => text.split(/(?<=\s)/).flatMap((word) => (word.length > 20 ? word.split(/(?<=[/._-])(?=\w)/) : [word])
    .flatMap((part, place) => (place ? [make("wbr"), part] : [part])));
  const shown = (columns) => (it, place) => {
    const lines = it.lines.map((line) => make("div", { class: "dim" }, ...breakable(line)));
    if (!place) return make("th", { class: it.class, scope: "row" }, it.text, ...lines);
    return cell(columns[place], { class: it.class }, ...breakable(it.text), ...lines);
  };

  const all = [];
  const tables = page.tables.map((table) => {
    const rows = table.rows.map((row) => {
      const element = make("tr", {}, ...row.cells.map(shown(table.columns)));
      all.push({ element, parts: [table.name, ...row.cells.flatMap((it) => [it.text, ...it.lines])], outcomes: row.outcomes });
      return element;
    });
    const section = make("section", {}, make("h2", {}, table.name), ...table.notes.map((note) => make("p", { class: "inconclusive" }, note)));
    if (rows.length) section.append(make("table", {}, tableHead(table.columns), make("tbody", {}, ...rows)));
    return { section, rows };
  });

  const [verdict, ...notes] = page.verdict.split("\n");
  byId("head").append(make("h1", {}, `${page.title}: `, make("span", { class: page.class }, verdict)),
    ...notes.map((note) => make("p", { class: "inconclusive" }, note)), ...page.facts.map((fact) => make("div", { class: "dim" }, fact)));
  byId("tables").append(...tables.map(({ section }) => section));
  options("outcome", all.flatMap((row) => row.outcomes));

  filters(["search", "outcome"], ({ search, outcome }) => {
    let left = 0;
    for (const row of all) {
      row.element.hidden = !((!outcome || row.outcomes.includes(outcome)) && (!search || isIn(search, row.parts)));
      left += row.element.hidden ? 0 : 1;
    }
    // A table that could not be filled is told as long as nothing is looked for.
    for (const { section, rows } of tables) section.hidden = rows.length ? rows.every((row) => row.hidden) : Boolean(search || outcome);
    byId("row-count").textContent = counted(left, all.length, page.noun);
  });
})();
