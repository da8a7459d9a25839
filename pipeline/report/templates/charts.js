// Draws the page's charts again when they come into view: as wide as the screen, with tooltips.
// Without this script, and in print, the pictures drawn beforehand stand in their place.
"use strict";

const dark = matchMedia("(prefers-color-scheme: dark)").matches;

async function draw(figure) {
  const specification = JSON.parse(figure.querySelector("script").textContent);
  const live = document.createElement("div");
  live.className = "live";
  figure.querySelector(".picture").append(live);
  const narrow = figure.clientWidth < 420;
  specification.width = "container";
  specification.autosize = { type: "fit-x", contains: "padding" };
  if (narrow) specification.config.legend.columns = 2;
  if (narrow && figure.classList.contains("broad")) // names would lie on each other: tooltips have them
    specification.layer = specification.layer.filter((layer) => layer.mark.type !== "text");
  await window.vegaEmbed(live, specification, {
    actions: false,
    ast: true, // expressions are interpreted: the page's policy allows no code made from text
    renderer: "svg",
    tooltip: { theme: dark ? "dark" : "light" },
  });
  figure.classList.add("drawn");
}

const watcher = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      watcher.unobserve(entry.target);
      draw(entry.target);
    }
  },
  { rootMargin: "300px" },
);
for (const figure of document.querySelectorAll("figure.chart")) watcher.observe(figure);

// A link into a part that is folded away opens it; print opens everything.
function open() {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
}
addEventListener("hashchange", open);
open();
