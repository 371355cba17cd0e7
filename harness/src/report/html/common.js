"use strict";
/** What the pages have in common: their data, elements, and filters. */
const byId = (id) => document.getElementById(id);
const page = JSON.parse(byId("data").textContent);

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

/** A cell that tells its column where the head of the table is not shown. */
const cell = (column, attributes, ...children) => make("td", { "data-column": column, ...attributes }, ...children);
const tableHead = (columns) => make("thead", {}, make("tr", {}, ...columns.map((name) => make("th", { scope: "col" }, name))));

const count = (number, one, other = `${one}s`) => `${number} ${number === 1 ? one : other}`;
const counted = (shown, all, noun) => (shown === all ? count(all, noun) : `${shown} of ${count(all, noun)}`);
const isIn = (text, parts) => parts.join(" ").toLowerCase().includes(text);
const options = (id, values, word = (value) => value) => byId(id).append(make("option", { value: "" }, "any"),
  ...[...new Set(values)].sort().map((value) => make("option", { value }, word(value))));

/**
 * Shows what fits the fields of these ids, now and whenever they change. They stand in the address, as
 * `#verdict=failed&search=ttl`, so that a view can be passed on; `isPlace` opens addresses of another kind.
 */
const filters = (fields, show, isPlace = () => false) => {
  const apply = () => {
    const wanted = Object.fromEntries(fields.map((id) => [id, byId(id).value]));
    show({ ...wanted, search: wanted.search.trim().toLowerCase() });
  };
  const restore = () => {
    const hash = location.hash.slice(1);
    if (isPlace(hash)) return;
    const given = new URLSearchParams(hash);
    for (const id of fields) byId(id).value = given.get(id) || "";
  };
  const changed = () => {
    apply();
    const set = fields.filter((id) => byId(id).value).map((id) => [id, byId(id).value]);
    history.replaceState(null, "", `#${new URLSearchParams(set)}`);
  };
  for (const id of fields) byId(id).addEventListener("input", changed);
  byId("reset").addEventListener("click", () => { for (const id of fields) byId(id).value = ""; changed(); });
  window.addEventListener("hashchange", () => { restore(); apply(); });
  restore();
  apply();
};
