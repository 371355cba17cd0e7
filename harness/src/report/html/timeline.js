/** When something happened, in seconds from the begin of its case. */
const since = (moment) => `+${(moment.at / 1000).toFixed(3)}`;

/**
 * Histories on one axis, with a lane for each object, and as lists. A history is the name of its side, which is
 * empty where it is the only one, and its moments. All dots together are one stop of the keyboard: arrows go to
 * what happened before and after, in whatever lane; `rank` orders the lanes.
 */
const timelines = (histories, rank) => {
  const all = histories.flatMap(([side, moments]) => moments.map((moment) => ({ side, moment }))).sort((a, b) => a.moment.at - b.moment.at);
  if (!all.length) return [];
  const end = Math.max(1, all[all.length - 1].moment.at);
  const named = (side, text) => (side ? `${side}, ${text}` : text);
  const shown = make("div", { class: "moment", "aria-live": "polite" }, make("span", { class: "dim" }, "Choose a dot to see what happened."));
  let chosen = 0;
  const choose = (place, isAsked = true) => {
    const one = all[place];
    if (!one) return;
    all[chosen].dot.setAttribute("aria-pressed", "false");
    all[chosen].dot.tabIndex = -1;
    chosen = place;
    one.dot.tabIndex = 0;
    if (!isAsked) return;
    one.dot.setAttribute("aria-pressed", "true");
    shown.replaceChildren(make("strong", {}, `${named(one.side, since(one.moment))} s `), `${one.moment.lane}: ${one.moment.text}`,
      one.moment.changes ? make("ul", { class: "mono" }, ...one.moment.changes.map((change) => make("li", {}, change))) : "");
  };
  all.forEach((one, place) => {
    one.dot = make("button", {
      type: "button", style: `left: ${(100 * one.moment.at / end).toFixed(2)}%`, "aria-pressed": "false", tabindex: "-1",
      "aria-label": named(one.side, `${since(one.moment)} s: ${one.moment.text}`), class: one.moment.bad ? "bad" : "",
    });
    one.dot.addEventListener("click", () => choose(place));
    one.dot.addEventListener("focus", () => choose(place));
  });
  const step = (by) => { choose(chosen + by); all[chosen].dot.scrollIntoView({ block: "nearest" }); };
  const lanes = [...new Set(all.map((one) => one.moment.lane))].sort((a, b) => rank(a) - rank(b));
  const row = (lane, [side], place) => make("div", { class: place ? "lane second" : "lane" },
    make("span", { title: named(side, lane) }, place ? "" : lane, side ? make("b", {}, ` ${side}`) : null),
    make("div", { class: "track" }, ...all.filter((one) => one.side === side && one.moment.lane === lane).map((one) => one.dot)));
  const rows = make("div", { class: "lanes", role: "group", "aria-label": "What happened when" },
    ...lanes.flatMap((lane) => histories.map((history, place) => row(lane, history, place))));
  const keys = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1, Home: -all.length, End: all.length };
  rows.addEventListener("keydown", (event) => {
    if (!(event.key in keys)) return;
    event.preventDefault();
    all[Math.min(Math.max(chosen + keys[event.key], 0), all.length - 1)].dot.focus();
  });
  choose(0, false);
  const list = ([side, moments]) => make("details", {}, make("summary", {}, `all ${count(moments.length, "entry", "entries")}${side ? ` of ${side}` : ""} as a list`),
    make("ol", { class: "moments", tabindex: "0" }, ...moments.map((moment) => make("li", moment.bad ? { class: "bad" } : {},
      make("span", { class: "dim mono" }, since(moment)),
      make("span", {}, moment.text, ...(moment.changes || []).map((change) => make("div", { class: "dim mono" }, change)))))));
  return [
    make("h3", {}, "What happened"),
    rows,
    make("div", { class: "axis" }, make("span", {}, "0"), make("span", {}, `${(end / 1000).toFixed(2)} s`)),
    make("div", { class: "steps" }, make("button", { type: "button", onclick: () => step(-1) }, "earlier"),
      make("button", { type: "button", onclick: () => step(1) }, "later"), shown),
    ...histories.map(list),
  ];
};
