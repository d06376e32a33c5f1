// Filter, sort and keyboard moves of a network page. Without JavaScript the page shows all units.
"use strict";
(() => {
  const list = document.getElementById("units");
  const cards = Array.from(list.children);
  const texts = cards.map((card) => card.querySelector(".says").textContent.toLowerCase());
  const field = (name) => document.getElementById(name);
  const value = (name) => (field(name) ? field(name).value : "");

  function words() {
    return value("filter").toLowerCase().split(/\s+/).filter(Boolean);
  }

  function apply() {
    const wanted = words(), layer = value("layer"), verdict = value("verdict");
    let shown = 0;
    cards.forEach((card, i) => {
      const keep = (!layer || card.dataset.layer === layer)
        && (!verdict || card.dataset.verdict === verdict)
        && wanted.every((word) => texts[i].includes(word));
      card.hidden = !keep;
      shown += keep;
    });
    field("count").textContent = shown === cards.length ? `${shown} units` : `${shown} of ${cards.length} units`;
    field("nothing").hidden = shown > 0;
  }

  function sort() {
    const key = value("sort");
    const number = (card) => (card.dataset[key] === "" ? -Infinity : Number(card.dataset[key]));
    const order = cards.map((card, i) => [card, i]);
    if (key) order.sort((a, b) => number(b[0]) - number(a[0]) || a[1] - b[1]);
    list.append(...order.map(([card]) => card));
  }

  function clear() {
    for (const name of ["filter", "layer", "verdict"]) if (field(name)) field(name).value = "";
    apply();
  }

  function move(step) {
    const links = Array.from(list.querySelectorAll(".unit:not([hidden]) h3 a"));
    const at = links.indexOf(document.activeElement);
    const next = links[Math.max(0, Math.min(links.length - 1, at + step))];
    if (next) { next.focus({ preventScroll: true }); next.closest(".unit").scrollIntoView({ block: "nearest" }); }
  }

  document.querySelector(".tools").addEventListener("submit", (event) => event.preventDefault());
  field("filter").addEventListener("input", apply);
  for (const name of ["layer", "verdict"]) if (field(name)) field(name).addEventListener("change", apply);
  field("sort").addEventListener("change", sort);
  field("clear").addEventListener("click", clear);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName);
    if (event.key === "Escape") { clear(); document.activeElement.blur(); }
    else if (typing) return;
    else if (event.key === "/") { event.preventDefault(); field("filter").focus(); }
    else if (event.key === "j") move(1);
    else if (event.key === "k") move(-1);
  });
  if (value("filter") || value("layer") || value("verdict")) apply();
  if (value("sort")) sort();
})();
