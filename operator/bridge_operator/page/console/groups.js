// The networks, and the bridges over them: a picture of three bands for each pair of outer networks.

import { makeCard } from "./bridge_card.js";
import { byId, element, keep, setAttribute, setText } from "./dom.js";
import { LEVELS, judge } from "./judge.js";

// With more bridges than this, each gets less room, and they can be searched.
const MANY = 6;
const cards = new WeakMap();

export function showGroups(report, moment) {
  const isMany = report.bridges.length > MANY;
  byId("filter-label").toggleAttribute("hidden", !isMany);
  byId("groups").classList.toggle("many", isMany);
  byId("no-bridges").toggleAttribute("hidden", report.bridges.length > 0);
  const wanted = isMany ? byId("filter").value.trim().toLowerCase() : "";
  const shown = report.bridges.filter((one) => one.name.includes(wanted)).sort(worstFirst);
  const pairs = Map.groupBy(shown, (one) => `${one.sourceNetwork} ${one.targetNetwork}`);
  keep(byId("groups"), [...pairs.entries()], ([key]) => key, makeGroup, (group, [, bridges]) => {
    const [source, management, target] = group.querySelectorAll(".band strong");
    setText(source, bridges[0].sourceNetwork || "unknown network");
    setText(management, report.managementNetwork);
    setText(target, bridges[0].targetNetwork || "unknown network");
    setAttribute(group.querySelector(".engine"), "data-level", report.engineReachable ? "well" : "bad");
    setText(group.querySelector(".engine"), report.engineReachable ? "operator and Docker engine work" : "Docker engine does not answer");
    keep(group.querySelector(".rows"), bridges, (one) => one.name, makeRow, (row, one) => cards.get(row).update(one, moment));
  });
}

function worstFirst(one, other) {
  return LEVELS.indexOf(judge(one).level) - LEVELS.indexOf(judge(other).level) || (one.name < other.name ? -1 : 1);
}

function makeRow(bridge) {
  const card = makeCard(bridge);
  cards.set(card.node, card);
  return card.node;
}

function makeGroup() {
  const band = (kind, ...words) => element("div", { class: `band ${kind}` }, element("strong"), ...words);
  return element("section", { class: "group" },
    element("div", { class: "bands" },
      band("outer", element("span", { class: "small" }, "source side")),
      band("inner", element("span", { class: "small engine" })),
      band("outer", element("span", { class: "small" }, "target side"))),
    element("div", { class: "rows" }));
}
