(() => {
  const { report, details, proved, goldens, drilled } = page;

  const words = {
    conformant: ["conformant", "passed"], nonConformant: ["NOT conformant", "failed"],
    inconclusive: ["inconclusive", "inconclusive"], nothingRun: ["nothing run", "inconclusive"],
    notDecided: ["no verdict on conformance", "inconclusive"],
    notProved: ["not proved", "skipped"],
  };
  const word = (verdict) => (words[verdict] ? words[verdict][0] : verdict);
  const seconds = (value) => `${value.toFixed(2)} s`;

  /** How many cases were repeated, and each that did not always end alike. */
  const repetitions = (all) => {
    if (!all.length) return "";
    const flaky = all.filter((it) => it.flaky);
    const restless = all.filter((it) => it.histories > 1).length;
    const parts = flaky.map((it) => `${it.name} (${Object.entries(it.verdicts).map(([verdict, times]) => `${times} ${verdict}`).join(", ")})`);
    return `${count(all.length, "case")} repeated, ${restless} with more than one history, ${flaky.length} flaky${parts.length ? `: ${parts.join(", ")}` : ""}`;
  };

  /** Why there is no verdict, and what is not met beside the MUSTs that decide about it. */
  const besides = () => {
    const decides = report.profiles.find((it) => it.name === report.decidedBy);
    const open = report.result !== "notDecided" ? "" : report.filtered ? "Only selected cases were run."
      : decides ? `Nothing is known about these MUSTs of ${decides.name}: ${(decides.open || []).join(", ")}.` : "The catalogue has no MUST.";
    const more = (report.alsoNotMet || []).map((it) => {
      const kind = it.feature ? `MUSTs of ${it.feature}` : `Requirements of level ${it.level}`;
      return `${kind} that are not met, and do not decide: ${it.requirements.join(", ")}.`;
    });
    return [open, ...more].filter(Boolean).map((text) => make("p", { class: "inconclusive" }, text));
  };

  /** The files of the implementation with their digests, by kind; many of a kind stand behind their number. */
  const artifacts = (all) => {
    const kinds = { previousChart: "Previous chart", program: "Program", implementation: "Implementation file", values: "Values", manifest: "Manifests" };
    return Object.entries(kinds).map(([kind, title]) => {
      const lines = all.filter((it) => it.kind === kind).map((it) => make("div", {}, `${it.name}, ${it.sha256}`));
      if (lines.length > 3) return [title, make("details", {}, make("summary", {}, count(lines.length, "file")), ...lines)];
      return [title, lines.length ? make("div", {}, ...lines) : null];
    });
  };

  const head = () => {
    const { statistics: numbers, run } = report;
    const [text, style] = words[report.result];
    const met = report.requirements.filter((it) => it.verdict === "passed").length;
    const all = report.requirements.length;
    const part = report.result === "conformant" && met < all ? ` with ${met} of ${count(all, "requirement")}` : "";
    const who = run ? `${run.implementation.name} ${run.implementation.version}` : "no implementation";
    const parts = ["passed", "failed", "inconclusive", "skipped"].filter((kind) => numbers[kind] > 0);
    const bar = make("div", { class: "bar", role: "img", "aria-label": parts.map((kind) => `${numbers[kind]} ${kind}`).join(", ") },
      ...parts.map((kind) => make("span", { class: kind, style: `flex: ${numbers[kind]}` })));
    byId("head").append(
      make("h1", {}, `${who}: `, make("span", { class: style }, text), part),
      ...besides(),
      bar,
      make("div", {}, ...parts.flatMap((kind, place) => [place ? " · " : "", make("span", { class: kind }, `${numbers[kind]} ${kind}`)]),
        make("span", { class: "dim" }, ` of ${count(numbers.planned, "case")} in ${seconds(report.seconds)}, ${report.date}`)),
    );
    const profileWords = { notDecided: "not decided" };
    const profiles = report.profiles.map((it) => `${it.name} ${profileWords[it.verdict] || it.verdict} (${it.met} of ${count(it.musts, "MUST")})`);
    const slack = run && run.claims.slackSeconds ? `${seconds(run.claims.slackSeconds)} added to the deadline of every wait` : "";
    const rows = run ? [
      ["Implementation", `${who} of ${run.implementation.organization}, ${run.implementation.url}`],
      ["Profiles", profiles.join(" · ")],
      ["Slack", slack],
      ["Unsupported", (run.claims.unsupported || []).join(", ")],
      ["Suite", `${run.suite.name}, ${run.suite.sha256}`],
      ["Chart", run.chart && run.chart.sha256],
      ...artifacts(run.artifacts || []),
      ["Cluster", `${run.cluster.backend} ${run.cluster.kubernetesVersion} (${run.cluster.distribution}), started in ${seconds(run.clusterStartSeconds)}`],
      ["Helm", run.helmVersion],
      ["Host", run.host && `${run.host.os}, kernel ${run.host.kernel}, ${run.host.architecture}, ${count(run.host.cores, "core")}`],
      ["Hallmark", report.hallmarkVersion],
      ["Run", run.id],
      ["Repetitions", repetitions(report.repetitions || [])],
    ] : [];
    const notes = report.notes.map((note) => make("div", {}, note));
    if (notes.length > 3) rows.push(["Notes", make("details", {}, make("summary", {}, count(notes.length, "note")), ...notes)]);
    else for (const note of notes) rows.push(["Note", note]);
    byId("about").append(...rows.filter(([, value]) => value).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
  };

  const caseNames = new Map(report.cases.map((it) => [it.name, it.verdict]));
  const caseAnchor = (name) => `case-${name}`;
  const linkTo = (proof) => make("a", {
    href: `#${caseAnchor(proof.name)}`, class: proof.verdict,
    onclick: () => { const target = byId(caseAnchor(proof.name)); target.hidden = false; target.open = true; },
  }, proof.name);

  /** What a requirement of level MUST lacks: a case that proves it or is judged on it, a defect that would show that the case looks. */
  const holes = (requirement) => [
    requirement.level === "MUST" && !requirement.scenarios.length && !requirement.judged && !requirement.unproved && "no case",
    proved && proved.mustsWithoutDefect.includes(requirement.id) && "no defect",
  ].filter(Boolean);

  /** What became of the defects that break a requirement: which case noticed it, by which claim. */
  const defects = (requirement) => {
    const looks = { yes: ["passed", "noticed"], no: ["failed", "NOT noticed"], unknown: ["inconclusive", "inconclusive"] };
    const all = proved.defects.flatMap((defect) => defect.fates.filter((it) => it.requirement === requirement.id).map((it) => ({ ...it, defect: defect.name })));
    const line = (it) => {
      const [style, words] = looks[it.outcome];
      const but = it.outcome === "yes" ? "by " : "although another claim failed in ";
      return make("div", { class: "defect" }, make("span", { class: style }, `${it.defect}: ${words}`),
        it.by ? make("div", {}, but, caseNames.has(it.by) ? linkTo({ name: it.by, verdict: caseNames.get(it.by) }) : it.by) : null,
        it.claim ? make("div", { class: "dim" }, it.claim) : null, it.reason ? make("div", { class: "dim" }, it.reason) : null);
    };
    const trouble = all.filter((it) => it.outcome !== "yes");
    const rest = all.filter((it) => it.outcome === "yes");
    return [...trouble.map(line), rest.length ? make("details", {}, make("summary", {}, `${rest.length} noticed`), ...rest.map(line)) : null];
  };

  const requirementRow = (requirement) => {
    const row = make("tr", {},
      make("th", { scope: "row" }, requirement.id),
      cell("Level", {}, requirement.level),
      cell("Verdict", { class: requirement.verdict }, word(requirement.verdict)),
      cell("Requirement", {}, requirement.statement, make("div", { class: "dim" }, `${requirement.feature} · ${requirement.source}`)),
      cell("Cases", { class: "proofs" }, ...proofs(requirement.scenarios),
        requirement.judged ? make("div", { class: "dim" }, `judged on ${count(requirement.judged, "case")}`) : null,
        requirement.unproved ? make("div", { class: "dim" }, `no scenario: ${requirement.unproved}`) : null),
      proved ? cell("Defects", { class: "defects" }, ...defects(requirement)) : null,
      cell("Holes", { class: "inconclusive" }, holes(requirement).join(", ")));
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

  /** What a recovery drill promised, what it measured, and whether that is enough. */
  const drill = () => {
    if (!drilled) return;
    byId("drill").hidden = false;
    const { implementation: who, defect, runs, recoverySeconds, claims } = drilled;
    const looks = { kept: "passed", broken: "failed", open: "inconclusive" };
    const numbers = Object.keys(looks).map((verdict) => [verdict, claims.filter((it) => it.verdict === verdict).length]);
    byId("drill-summary").append(
      `${who.name} ${who.version}${defect ? ` with the defect ${defect}` : ""}, a cluster with ${count(runs, "run")} destroyed, `,
      recoverySeconds === null ? "not recovered" : `recovered in ${seconds(recoverySeconds)}`,
      ...numbers.filter(([, number]) => number).flatMap(([verdict, number]) => [" · ", make("span", { class: looks[verdict] }, `${number} ${verdict}`)]));
    byId("objectives").prepend(tableHead(["Objective", "Measured", "Verdict"]));
    byId("objectives").tBodies[0].append(...claims.map((it) => make("tr", {},
      cell("Objective", {}, it.claim), cell("Measured", {}, it.found), cell("Verdict", { class: looks[it.verdict] }, it.verdict))));
  };

  /** A unified diff, line by line. */
  const diff = (text) => make("pre", { tabindex: "0" }, ...text.trimEnd().split("\n").map((line) => {
    const kind = line.startsWith("@@") ? "hunk" : line.startsWith("+") ? "add" : line.startsWith("-") ? "del" : "";
    return make("span", kind ? { class: kind } : {}, `${line}\n`);
  }));

  const failure = (failed) => [
    make("h3", {}, "What was claimed"),
    make("pre", { class: "claim", tabindex: "0" }, failed.claim),
    failed.object ? make("p", {}, make("strong", {}, failed.object), ": ", failed.nearest) : make("p", {}, failed.nearest),
    ...(failed.broken || []).filter((it) => it.claim !== failed.claim).flatMap((it) => [
      make("p", { class: "failed" }, "Breaks ", make("strong", {}, it.id), ", a standing invariant"),
      make("pre", { tabindex: "0" }, it.claim),
      make("p", {}, it.object ? make("strong", {}, it.object) : null, it.object ? ": " : "", it.nearest),
    ]),
    failed.differences.length ? make("table", { class: "differences" },
      tableHead(["Path", "Expected", "Actual", "Since"]),
      make("tbody", {}, ...failed.differences.map((it) => make("tr", {},
        make("th", { scope: "row" }, it.path), cell("Expected", { class: "mono" }, it.expected), cell("Actual", { class: "mono" }, it.actual),
        cell("Since", { class: "dim" }, it.since ? `${it.since.at}, ${it.since.manager || "unknown manager"}` : ""))))) : null,
    failed.diff ? make("h3", {}, "Difference") : null,
    failed.diff ? diff(failed.diff.hunks) : null,
    failed.diff ? make("details", {}, make("summary", {}, "the whole object, as expected and as it is"), diff(failed.diff.whole)) : null,
    make("h3", {}, "Where it is written"),
    make("pre", { tabindex: "0" }, failed.excerpt.text),
  ];

  /** A golden file, whose whole object the case compares. */
  const golden = (name) => make("details", {}, make("summary", {}, "compared as a whole with ", make("span", { class: "mono" }, name)),
    make("pre", { tabindex: "0" }, goldens[name] || ""));

  const rank = (lane) => ({ steps: 0, faults: 1, controller: 3, requests: 4, events: 5 }[lane] ?? 2);

  const caseBody = (it) => {
    const more = details[it.name] || { timeline: [] };
    const reason = it.verdict === "failed" ? failure(more.failure) : it.reason ? [make("p", { class: it.verdict }, it.reason)] : [];
    return [
      make("p", {}, it.summary),
      make("p", { class: "dim" }, [it.file, it.requirements.join(", "), more.namespace].filter(Boolean).join(" · ")),
      ...reason, ...(more.goldens || []).map(golden), ...timelines([["", more.timeline]], rank),
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
  drill();
  const requirements = report.requirements.map((it) => [it, requirementRow(it)]);
  byId("requirements").prepend(tableHead(["Id", "Level", "Verdict", "Requirement", "Cases", ...(proved ? ["Defects"] : []), "Holes"]));
  const lacking = (hole) => report.requirements.filter((it) => holes(it).includes(hole)).length;
  byId("coverage").textContent = [
    report.filtered ? "Only selected cases are counted." : "",
    lacking("no case") ? `MUSTs without a case: ${lacking("no case")}.` : "Every MUST has a case, or a reason why no scenario proves it.",
    proved ? `${proved.defects.filter((it) => it.outcome === "killed").length} of ${count(proved.defects.length, "planted defect")} noticed by cases; MUSTs without a defect: ${lacking("no defect")}.`
      : "Whether the cases would notice a defect says hallmark prove, with the same report folder.",
  ].filter(Boolean).join(" ");
  byId("requirements").tBodies[0].append(...requirements.map(([, row]) => row));
  const weight = { failed: 0, inconclusive: 1, skipped: 3, passed: 2 };
  const cases = report.cases.map((it) => [it, caseItem(it)]).sort(([a], [b]) => weight[a.verdict] - weight[b.verdict]);
  byId("case-list").append(...cases.map(([, item]) => item));

  options("verdict", [...report.requirements, ...report.cases].map((it) => it.verdict), word);
  options("level", report.requirements.map((it) => it.level));
  options("area", report.cases.map((it) => it.area));
  options("hole", report.requirements.flatMap(holes));

  const levels = new Map(report.requirements.map((it) => [it.id, it.level]));
  const areas = new Map(report.cases.map((it) => [it.name, it.area]));
  const show = (wanted) => {
    const fits = (it, parts, itsLevels, itsAreas) =>
      (!wanted.verdict || it.verdict === wanted.verdict)
      && (!wanted.level || itsLevels.includes(wanted.level))
      && (!wanted.area || itsAreas.includes(wanted.area))
      && (!wanted.search || isIn(wanted.search, parts));
    let [rows, items] = [0, 0];
    for (const [it, row] of requirements) {
      const proofs = it.scenarios.map((proof) => proof.name);
      row.hidden = (wanted.hole && !holes(it).includes(wanted.hole)) || !fits(it, [it.id, it.statement, it.feature, ...proofs], [it.level], proofs.map((name) => areas.get(name)));
      rows += row.hidden ? 0 : 1;
    }
    for (const [it, item] of cases) {
      // No case has a hole: whoever looks for holes looks at requirements.
      item.hidden = Boolean(wanted.hole) || !fits(it, [it.name, it.summary, it.file, ...it.requirements], it.requirements.map((id) => levels.get(id)), [it.area]);
      items += item.hidden ? 0 : 1;
    }
    // Whoever looks for one case wants to see it.
    const left = cases.filter(([, item]) => !item.hidden);
    if (left.length === 1) left[0][1].open = true;
    byId("requirement-count").textContent = counted(rows, requirements.length, "requirement");
    byId("case-count").textContent = counted(items, cases.length, "case");
  };
  filters(["search", "verdict", "level", "area", "hole"], show, (hash) => {
    const place = decodeURIComponent(hash);
    if (!place.startsWith("case-")) return false;
    const target = byId(place);
    if (target) { target.open = true; target.scrollIntoView(); }
    return true;
  });
})();
