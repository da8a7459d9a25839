// The browser of labels. Titles are written as text, never as markup.
"use strict";

const source = document.getElementById("labels-data");
const STEP = 10; // labels shown at a time

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function start(data) {
  const choice = document.getElementById("labels-cell");
  const search = document.getElementById("labels-search");
  const filter = document.getElementById("labels-filter");
  const count = document.getElementById("labels-count");
  const list = document.getElementById("labels-list");
  const more = document.getElementById("labels-more");
  let found = [];
  let shown = 0;

  data.cells.forEach((cell, place) => {
    const option = element("option", cell.name);
    option.value = place;
    choice.append(option);
  });

  const titles = () => data.titles[data.cells[choice.value].dataset];
  const title = (item) => titles()[item] ?? `item ${item}`;

  // Items first, labels second: a title is looked at once, however many labels name it.
  function matching(text) {
    const items = new Set();
    for (const [item, name] of Object.entries(titles()))
      if (name.toLowerCase().includes(text)) items.add(Number(item));
    return (label) =>
      String(label.s) === text ||
      [label.t, ...label.p, ...label.r].some((item) => items.has(item));
  }

  const FILTERS = {
    all: () => true,
    first: (label) => label.r[0] === label.t,
    named: (label) => label.r.includes(label.t),
    unnamed: (label) => !label.r.includes(label.t),
    unusable: (label) => label.o !== "usable",
  };

  function line(item, label, place) {
    const row = element("li");
    const words = [place, item === label.t && "the held-back item"].filter(Boolean).join(", ");
    row.append(element("bdi", title(item)), element("small", ` ${words}`));
    if (item === label.t) row.className = "target";
    return row;
  }

  function part(headline, items, label, place) {
    const box = element("div");
    box.append(element("h3", headline));
    const rows = element("ol");
    rows.append(...items.map((item) => line(item, label, place?.(item))));
    box.append(rows);
    return box;
  }

  function view(label) {
    const box = element("details");
    const summary = element("summary");
    const at = label.r.indexOf(label.t) + 1;
    const where = at ? `ranked ${at} of ${label.r.length}` : label.r.length ? "not ranked" : label.o;
    summary.append(element("bdi", title(label.t)), element("small", ` session ${label.s}: ${where}`));
    box.append(summary);
    box.addEventListener("toggle", () => fill(box, label), { once: true });
    return box;
  }

  function fill(box, label) {
    const parts = element("div", undefined, "parts");
    const ranked = new Set(label.r);
    const places = new Map(label.c.map((item, place) => [item, place + 1]));
    const place = (item) => (places.has(item) ? `candidate ${places.get(item)}` : "");
    parts.append(part("Session, oldest first", [...label.p, label.t], label));
    parts.append(part(`Ranking (${label.o})`, label.r, label, place));
    const rest = label.c.filter((item) => !ranked.has(item));
    parts.append(part("Other candidates of the teacher", rest, label, place));
    box.append(parts);
  }

  function add() {
    for (const label of found.slice(shown, shown + STEP)) list.append(view(label));
    shown = Math.min(shown + STEP, found.length);
    more.hidden = shown >= found.length;
    count.textContent = `${found.length} labels found, ${shown} shown`;
  }

  function update() {
    const text = search.value.trim().toLowerCase();
    const fits = text ? matching(text) : () => true;
    found = data.cells[choice.value].labels.filter((one) => FILTERS[filter.value](one) && fits(one));
    shown = 0;
    list.replaceChildren();
    add();
  }

  for (const input of [choice, search, filter]) input.addEventListener("input", update);
  more.addEventListener("click", add);
  document.getElementById("labels").classList.add("ready");
  update();
}

if (source) start(JSON.parse(source.textContent));
