"use strict";
(() => {
  const { report, details } = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);

  /** An element with attributes and children; texts are never read as markup. */
  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name === "onclick") element.addEventListener("click", value);
      else element.setAttribute(name, value);
    }
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  };

  const words = {
    conformant: ["conformant", "passed"], nonConformant: ["NOT conformant", "failed"],
    inconclusive: ["inconclusive", "inconclusive"], nothingRun: ["nothing run", "inconclusive"],
    notDecided: ["all cases that ran passed; others were left out, so no verdict on conformance", "passed"],
    notProved: ["not proved", "skipped"],
  };
  const word = (verdict) => (words[verdict] ? words[verdict][0] : verdict);
  const seconds = (value) => `${value.toFixed(2)} s`;
  const count = (shown, all, noun) => (shown === all ? `${all} ${noun}` : `${shown} of ${all} ${noun}`);

  /** How many cases were repeated, and each that did not always end alike. */
  const repetitions = (all) => {
    if (!all.length) return "";
    const flaky = all.filter((it) => it.flaky);
    const restless = all.filter((it) => it.histories > 1).length;
    const parts = flaky.map((it) => `${it.name} (${Object.entries(it.verdicts).map(([verdict, times]) => `${times} ${verdict}`).join(", ")})`);
    return `${all.length} cases repeated, ${restless} with more than one history, ${flaky.length} flaky${parts.length ? `: ${parts.join(", ")}` : ""}`;
  };

  const head = () => {
    const { statistics: numbers, run } = report;
    const [text, style] = words[report.result];
    const open = report.requirements.filter((it) => it.verdict === "notProved" || it.verdict === "skipped").length;
    const all = report.requirements.length;
    const part = report.result === "conformant" && open ? ` with ${all - open} of ${all} requirements, which this suite proves` : "";
    const who = run ? `${run.implementation.name} ${run.implementation.version}` : "no implementation";
    const parts = ["passed", "failed", "inconclusive", "skipped"].filter((kind) => numbers[kind] > 0);
    const bar = make("div", { class: "bar", role: "img", "aria-label": parts.map((kind) => `${numbers[kind]} ${kind}`).join(", ") },
      ...parts.map((kind) => make("span", { class: kind, style: `flex: ${numbers[kind]}` })));
    byId("head").append(
      make("h1", {}, `${who}: `, make("span", { class: style }, text), part),
      bar,
      make("div", {}, ...parts.flatMap((kind, place) => [place ? " · " : "", make("span", { class: kind }, `${numbers[kind]} ${kind}`)]),
        make("span", { class: "dim" }, ` of ${numbers.planned} cases in ${seconds(report.seconds)}, ${report.date}`)),
    );
    const profileWords = { notDecided: "not decided" };
    const profiles = report.profiles.map((it) => `${it.name} ${profileWords[it.verdict] || it.verdict} (${it.met} of ${it.musts} MUSTs)`);
    const slack = run && run.claims.slackSeconds ? `${seconds(run.claims.slackSeconds)} added to the deadline of every wait` : "";
    const rows = run ? [
      ["Implementation", `${who} of ${run.implementation.organization}, ${run.implementation.url}`],
      ["Profiles", profiles.join(" · ")],
      ["Slack", slack],
      ["Unsupported", (run.claims.unsupported || []).join(", ")],
      ["Suite", `${run.suite.name}, ${run.suite.sha256}`],
      ["Chart", run.chart && run.chart.sha256],
      ["Cluster", `${run.cluster.backend} ${run.cluster.kubernetesVersion} (${run.cluster.distribution}), started in ${seconds(run.clusterStartSeconds)}`],
      ["Helm", run.helmVersion],
      ["Hallmark", report.hallmarkVersion],
      ["Run", run.id],
      ["Repetitions", repetitions(report.repetitions || [])],
    ] : [];
    const notes = report.notes.map((note) => make("div", {}, note));
    if (notes.length > 3) rows.push(["Notes", make("details", {}, make("summary", {}, `${notes.length} notes`), ...notes)]);
    else for (const note of notes) rows.push(["Note", note]);
    byId("about").append(...rows.filter(([, value]) => value).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
  };

  const caseAnchor = (name) => `case-${name}`;
  const linkTo = (proof) => make("a", {
    href: `#${caseAnchor(proof.name)}`, class: proof.verdict,
    onclick: () => { const target = byId(caseAnchor(proof.name)); target.hidden = false; target.open = true; },
  }, proof.name);

  const requirementRow = (requirement) => {
    const row = make("tr", {},
      make("th", { scope: "row" }, requirement.id),
      make("td", {}, requirement.level),
      make("td", { class: requirement.verdict }, word(requirement.verdict)),
      make("td", {}, requirement.statement, make("div", { class: "dim" }, `${requirement.feature} · ${requirement.source}`)),
      make("td", { class: "proofs" }, ...proofs(requirement.scenarios),
        requirement.judged ? make("div", { class: "dim" }, `judged on ${requirement.judged} cases`) : null));
    return row;
  };

  /** Links to the cases: those in trouble at once, the others behind their number. */
  const proofs = (all) => {
    const trouble = all.filter((proof) => proof.verdict === "failed" || proof.verdict === "inconclusive");
    const others = all.filter((proof) => !trouble.includes(proof));
    const rest = others.length ? make("details", {}, make("summary", {}, `${others.length} ${trouble.length ? "other " : ""}case${others.length > 1 ? "s" : ""}`),
      ...others.map(linkTo)) : null;
    return [...trouble.map(linkTo), rest].filter(Boolean);
  };

  /** A unified diff, line by line. */
  const diff = (text) => make("pre", { tabindex: "0" }, ...text.split("\n").map((line) => {
    const kind = line.startsWith("@@") ? "hunk" : line.startsWith("+") ? "add" : line.startsWith("-") ? "del" : "";
    return make("span", kind ? { class: kind } : {}, `${line}\n`);
  }));

  const failure = (failed) => [
    make("h3", {}, "What was claimed"),
    make("pre", { tabindex: "0" }, failed.claim),
    failed.object ? make("p", {}, make("strong", {}, failed.object), " ", failed.nearest) : make("p", {}, failed.nearest),
    ...(failed.broken || []).filter((it) => it.claim !== failed.claim).flatMap((it) => [
      make("p", { class: "failed" }, "Breaks ", make("strong", {}, it.id), ", a standing invariant"),
      make("pre", { tabindex: "0" }, it.claim),
      make("p", {}, it.object ? make("strong", {}, it.object) : null, " ", it.nearest),
    ]),
    failed.differences.length ? make("table", { class: "differences" },
      make("thead", {}, make("tr", {}, ...["Path", "Expected", "Actual", "Since"].map((title) => make("th", { scope: "col" }, title)))),
      make("tbody", {}, ...failed.differences.map((it) => make("tr", {},
        make("th", { scope: "row" }, it.path), make("td", { class: "mono" }, it.expected), make("td", { class: "mono" }, it.actual),
        make("td", { class: "dim" }, it.since ? `${it.since.at}, ${it.since.manager || "unknown manager"}` : ""))))) : null,
    failed.diff ? make("h3", {}, "Difference") : null,
    failed.diff ? diff(failed.diff) : null,
    make("h3", {}, "Where it is written"),
    make("pre", { tabindex: "0" }, failed.excerpt.text),
  ];

  /** What happened, by lane on one axis, and as a list. */
  const timeline = (moments) => {
    if (!moments.length) return [];
    const end = Math.max(1, moments[moments.length - 1].at);
    const shown = make("div", { class: "moment", "aria-live": "polite" }, make("span", { class: "dim" }, "Choose a dot to see what happened."));
    let chosen = null;
    const choose = (button, moment) => {
      if (chosen) chosen.setAttribute("aria-pressed", "false");
      chosen = button;
      button.setAttribute("aria-pressed", "true");
      shown.replaceChildren(make("strong", {}, `+${(moment.at / 1000).toFixed(3)} s `), moment.text,
        moment.changes ? make("ul", { class: "mono" }, ...moment.changes.map((change) => make("li", {}, change))) : "");
    };
    const lanes = new Map();
    for (const moment of moments) {
      if (!lanes.has(moment.lane)) lanes.set(moment.lane, []);
      lanes.get(moment.lane).push(moment);
    }
    const order = [...lanes.keys()].sort((a, b) => rank(a) - rank(b));
    const rows = order.map((lane) => make("div", { class: "lane" },
      make("span", { title: lane }, lane),
      make("div", { class: "track" }, ...lanes.get(lane).map((moment) => {
        const button = make("button", {
          type: "button", style: `left: ${(100 * moment.at / end).toFixed(2)}%`, "aria-pressed": "false",
          "aria-label": `${(moment.at / 1000).toFixed(3)} s: ${moment.text}`, class: moment.bad ? "bad" : "",
        });
        button.addEventListener("click", () => choose(button, moment));
        button.addEventListener("focus", () => choose(button, moment));
        return button;
      }))));
    const list = make("details", {}, make("summary", {}, `all ${moments.length} entries as a list`),
      make("ol", { class: "moments", tabindex: "0" }, ...moments.map((moment) => make("li", moment.bad ? { class: "bad" } : {},
        make("span", { class: "dim mono" }, `+${(moment.at / 1000).toFixed(3)}`),
        make("span", {}, moment.text, ...(moment.changes || []).map((change) => make("div", { class: "dim mono" }, change)))))));
    return [
      make("h3", {}, "What happened"),
      make("div", { class: "lanes" }, ...rows),
      make("div", { class: "axis" }, make("span", {}, "0"), make("span", {}, seconds(end / 1000))),
      shown, list,
    ];
  };
  const rank = (lane) => ({ steps: 0, controller: 2, requests: 3, events: 4 }[lane] ?? 1);

  const caseBody = (it) => {
    const more = details[it.name] || { timeline: [] };
    const reason = it.verdict === "failed" ? failure(more.failure) : it.reason ? [make("p", { class: it.verdict }, it.reason)] : [];
    return [
      make("p", {}, it.summary),
      make("p", { class: "dim" }, [it.file, it.requirements.join(", "), more.namespace].filter(Boolean).join(" · ")),
      ...reason, ...timeline(more.timeline),
    ];
  };

  const caseItem = (it) => {
    const item = make("details", { class: "case", id: caseAnchor(it.name) },
      make("summary", {}, make("span", { class: `badge ${it.verdict}` }, it.verdict), make("span", { class: "name" }, it.name),
        make("span", { class: "seconds" }, seconds(it.seconds))));
    // A page of hundreds of cases builds what is looked at.
    item.addEventListener("toggle", () => {
      if (item.open && item.children.length === 1) item.append(make("div", { class: "body" }, ...caseBody(it).filter(Boolean)));
    });
    return item;
  };

  head();
  const requirements = report.requirements.map((it) => [it, requirementRow(it)]);
  byId("requirements").tBodies[0].append(...requirements.map(([, row]) => row));
  const weight = { failed: 0, inconclusive: 1, skipped: 3, passed: 2 };
  const cases = report.cases.map((it) => [it, caseItem(it)]).sort(([a], [b]) => weight[a.verdict] - weight[b.verdict]);
  byId("case-list").append(...cases.map(([, item]) => item));

  const fields = ["search", "verdict", "level", "area"];
  const options = (id, values) => byId(id).append(make("option", { value: "" }, "any"),
    ...[...new Set(values)].sort().map((value) => make("option", { value }, word(value))));
  options("verdict", [...report.requirements, ...report.cases].map((it) => it.verdict));
  options("level", report.requirements.map((it) => it.level));
  options("area", report.cases.map((it) => it.area));

  const levels = new Map(report.requirements.map((it) => [it.id, it.level]));
  const areas = new Map(report.cases.map((it) => [it.name, it.area]));
  const filter = () => {
    const wanted = Object.fromEntries(fields.map((id) => [id, byId(id).value]));
    const text = wanted.search.trim().toLowerCase();
    const fits = (it, parts, itsLevels, itsAreas) =>
      (!wanted.verdict || it.verdict === wanted.verdict)
      && (!wanted.level || itsLevels.includes(wanted.level))
      && (!wanted.area || itsAreas.includes(wanted.area))
      && (!text || parts.join(" ").toLowerCase().includes(text));
    let [rows, items] = [0, 0];
    for (const [it, row] of requirements) {
      const proofs = it.scenarios.map((proof) => proof.name);
      row.hidden = !fits(it, [it.id, it.statement, it.feature, ...proofs], [it.level], proofs.map((name) => areas.get(name)));
      rows += row.hidden ? 0 : 1;
    }
    for (const [it, item] of cases) {
      item.hidden = !fits(it, [it.name, it.summary, it.file, ...it.requirements], it.requirements.map((id) => levels.get(id)), [it.area]);
      items += item.hidden ? 0 : 1;
    }
    // Whoever looks for one case wants to see it.
    const left = cases.filter(([, item]) => !item.hidden);
    if (left.length === 1) left[0][1].open = true;
    byId("requirement-count").textContent = count(rows, requirements.length, "requirements");
    byId("case-count").textContent = count(items, cases.length, "cases");
  };

  /** Filters stand in the address, as `#verdict=failed&search=ttl`, so that a view can be passed on. */
  const restore = () => {
    const hash = decodeURIComponent(location.hash.slice(1));
    if (hash.startsWith("case-")) {
      const target = byId(hash);
      if (target) { target.open = true; target.scrollIntoView(); }
      return;
    }
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
