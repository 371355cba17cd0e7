(() => {
  const sides = ["A", "B"];

  byId("head").append(make("h1", {}, "Comparison: ", make("span", { class: page.class }, page.verdict)));
  const suites = page.parties.map((it) => it.suite);
  byId("about").append(...[
    ...page.parties.map((it, place) => [sides[place], `${it.title} (${it.source})`]),
    ["Suite", suites[0] === suites[1] ? suites[0] : `${suites[0]} in A, ${suites[1]} in B: differences may come from there`],
  ].flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));

  const requirementRow = (it) => make("tr", {}, make("th", { scope: "row" }, it.id), cell("Level", {}, it.level),
    ...it.verdicts.map((verdict, place) => cell(sides[place], { class: verdict }, verdict)), cell("Requirement", {}, it.statement));

  const places = (all) => make("table", { class: "differences" }, tableHead(["Object", "What", ...sides]),
    make("tbody", {}, ...all.map((it) => make("tr", it.chance ? { class: "dim" } : {},
      make("th", { scope: "row" }, it.object),
      cell("What", { class: "mono" }, it.what, it.chance ? make("div", {}, it.chance) : null),
      ...it.values.map((value, place) => cell(sides[place], { class: "mono" }, value))))));

  const rank = (lane) => ({ steps: 0, controller: 2, requests: 3, events: 4 }[lane] ?? 1);

  const caseBody = (it) => [
    make("p", {}, it.summary), make("p", { class: "dim" }, it.requirements.join(", ")),
    ...it.reasons.map((reason, place) => (reason ? make("p", { class: it.verdicts[place] }, `${it.verdicts[place]} in ${sides[place]}: ${reason}`) : null)),
    ...(it.places.length ? [make("h3", {}, "Where the histories part"), places(it.places)] : []),
    ...timelines(it.timelines.map((moments, place) => [sides[place], moments]), rank),
  ];

  const caseItem = (it) => {
    const item = make("details", { class: "case" },
      make("summary", {}, make("span", { class: `badge ${it.class}` }, it.outcome), make("span", { class: "name" }, it.name),
        make("span", { class: "seconds" }, it.verdicts.map((verdict, place) => `${verdict} in ${sides[place]}`).join(", "))));
    // A page of hundreds of cases builds what is looked at.
    item.addEventListener("toggle", () => {
      if (item.open && item.children.length === 1) item.append(make("div", { class: "body" }, ...caseBody(it).filter(Boolean)));
    });
    return item;
  };

  const requirements = page.requirements.map((it) => [it, requirementRow(it)]);
  byId("requirements").prepend(tableHead(["Id", "Level", ...sides, "Requirement"]));
  byId("requirements").tBodies[0].append(...requirements.map(([, row]) => row));
  const weight = { failed: 0, inconclusive: 1, passed: 2 };
  const cases = page.cases.map((it) => [it, caseItem(it)]).sort(([a], [b]) => weight[a.class] - weight[b.class]);
  byId("case-list").append(...cases.map(([, item]) => item));
  options("outcome", page.cases.map((it) => it.outcome));

  filters(["search", "outcome"], ({ search, outcome }) => {
    const holds = (...parts) => isIn(search, parts);
    const left = cases.filter(([it, item]) => {
      item.hidden = !((!outcome || it.outcome === outcome)
        && holds(it.name, it.summary, ...it.requirements, ...it.places.flatMap((place) => [place.object, place.what])));
      return !item.hidden;
    });
    const named = new Set(left.flatMap(([it]) => it.requirements));
    let rows = 0;
    for (const [it, row] of requirements) {
      row.hidden = !(named.has(it.id) && holds(it.id, it.statement, ...left.filter(([one]) => one.requirements.includes(it.id)).map(([one]) => one.name)));
      rows += row.hidden ? 0 : 1;
    }
    // Whoever looks for one case wants to see it.
    if (left.length === 1) left[0][1].open = true;
    byId("requirement-count").textContent = counted(rows, requirements.length, "requirement");
    byId("case-count").textContent = counted(left.length, cases.length, "case");
  });
})();
