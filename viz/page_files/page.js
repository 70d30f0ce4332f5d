"use strict";
// Texts of the model reach the page by textContent and attributes alone, never as markup.
const views = JSON.parse(document.getElementById("views").textContent);
const [stage, view, path, facts, search, count] =
  ["stage", "view", "path", "facts", "search", "count"].map((id) => document.getElementById(id));
const SVG = "http://www.w3.org/2000/svg";
const drawn = new Map();  // what was shown before, by its number
let way = [0], at = { x: 0, y: 0, k: 1 }, found = [], current = -1;

function place() {
  view.style.transform = `translate(${at.x}px, ${at.y}px) scale(${at.k})`;
}

function fit() {
  const svg = view.querySelector("svg");
  const wide = svg.clientWidth || svg.getBoundingClientRect().width, high = svg.clientHeight;
  at.k = Math.min(2, stage.clientWidth / wide, Math.max(0.25, stage.clientHeight / high)) || 1;
  at.x = Math.max(0, (stage.clientWidth - wide * at.k) / 2);
  at.y = 0;
  place();
}

function zoom(factor, x = stage.clientWidth / 2, y = stage.clientHeight / 2) {
  const k = Math.min(40, Math.max(0.02, at.k * factor));
  at = { x: x - (x - at.x) * k / at.k, y: y - (y - at.y) * k / at.k, k };
  place();
}

function draw(number) {
  const svg = document.getElementById(`figure-${number}`).content.querySelector("svg");
  const hits = document.createElementNS(SVG, "g");
  views[number].nodes.forEach((node, i) => {
    const hit = document.createElementNS(SVG, "rect");
    ["x", "y", "width", "height"].forEach((key, j) => hit.setAttribute(key, node.at[j]));
    hit.setAttribute("class", node.opens === undefined ? "hit" : "hit closed");
    hit.setAttribute("tabindex", "0");
    hit.setAttribute("role", node.opens === undefined ? "img" : "button");
    hit.setAttribute("aria-label", node.name);
    hit.dataset.node = i;
    hits.append(hit);
  });
  svg.append(hits);
  return svg;
}

function show(way_) {
  way = way_;
  const number = way[way.length - 1];
  if (!drawn.has(number)) drawn.set(number, draw(number));
  view.replaceChildren(drawn.get(number));
  path.replaceChildren(...way.map((each, depth) => {
    const step = document.createElement("button");
    step.textContent = (depth ? "› " : "") + views[each].name;
    step.onclick = () => show(way.slice(0, depth + 1));
    return step;
  }));
  tell(null);
  look();
  fit();
}

function nodeOf(target) {
  const i = target && target.dataset ? target.dataset.node : undefined;
  return i === undefined ? null : views[way[way.length - 1]].nodes[i];
}

function tell(node) {
  facts.hidden = !node;
  if (!node) return;
  const head = document.createElement("h2"), list = document.createElement("dl");
  head.textContent = node.name;
  for (const [key, value] of node.facts) {
    const dt = document.createElement("dt"), dd = document.createElement("dd");
    dt.textContent = key;
    dd.textContent = value;
    list.append(dt, dd);
  }
  facts.replaceChildren(head, list);
}

function open(node) {
  if (node && node.opens !== undefined) show([...way, node.opens]);
}

function look() {
  const words = search.value.trim().toLowerCase();
  const nodes = views[way[way.length - 1]].nodes;
  found = [];
  current = -1;
  for (const hit of view.querySelectorAll(".hit")) {
    const is = words !== "" && nodes[hit.dataset.node].search.includes(words);
    hit.classList.toggle("found", is);
    hit.classList.remove("current");
    if (is) found.push(hit);
  }
  count.textContent = words ? `${found.length} found` : "";
}

function next(step) {
  if (!found.length) return;
  if (current >= 0) found[current].classList.remove("current");
  current = (current + step + found.length) % found.length;
  const hit = found[current];
  hit.classList.add("current");
  const box = hit.getBoundingClientRect(), frame = stage.getBoundingClientRect();
  at.x += frame.left + frame.width / 2 - (box.left + box.width / 2);
  at.y += frame.top + frame.height / 2 - (box.top + box.height / 2);
  place();
  tell(nodeOf(hit));
}

stage.addEventListener("wheel", (event) => {
  event.preventDefault();
  const frame = stage.getBoundingClientRect();
  zoom(Math.exp(-event.deltaY / 400), event.clientX - frame.left, event.clientY - frame.top);
}, { passive: false });
stage.addEventListener("pointerdown", (event) => {
  if (event.button !== 0) return;
  const from = { x: event.clientX - at.x, y: event.clientY - at.y };
  const move = (to) => {
    at.x = to.clientX - from.x;
    at.y = to.clientY - from.y;
    place();
  };
  const end = () => {
    stage.classList.remove("held");
    window.removeEventListener("pointermove", move);
  };
  stage.classList.add("held");
  window.addEventListener("pointermove", move);
  window.addEventListener("pointerup", end, { once: true });
});
stage.addEventListener("pointerover", (event) => tell(nodeOf(event.target)));
stage.addEventListener("focusin", (event) => tell(nodeOf(event.target)));
stage.addEventListener("dblclick", (event) => open(nodeOf(event.target)));
search.addEventListener("input", look);
search.addEventListener("keydown", (event) => {
  if (event.key === "Enter") next(event.shiftKey ? -1 : 1);
  if (event.key === "Escape") { search.value = ""; look(); stage.focus(); }
  event.stopPropagation();
});
const keys = {
  "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8), "0": fit,
  "/": () => search.focus(), n: () => next(1), N: () => next(-1),
  Enter: () => open(nodeOf(document.activeElement)),
  Escape: () => { if (way.length > 1) show(way.slice(0, -1)); },
  ArrowLeft: () => { at.x += 60; place(); }, ArrowRight: () => { at.x -= 60; place(); },
  ArrowUp: () => { at.y += 60; place(); }, ArrowDown: () => { at.y -= 60; place(); },
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in keys)) return;
  if (event.key === "Enter" && event.target.tagName === "BUTTON") return;
  event.preventDefault();
  keys[event.key]();
});
document.getElementById("in").onclick = () => zoom(1.25);
document.getElementById("out").onclick = () => zoom(0.8);
document.getElementById("fit").onclick = fit;
window.addEventListener("resize", fit);
show([0]);
