// One bridge as a row over the three networks: its source, itself, its target. Made once, then kept up to date.

import { makeChart } from "./chart.js";
import { element, keep, setAttribute, setSign, setText, sign } from "./dom.js";
import { isGood, judge, restartNotes, sideLevel, stateText } from "./judge.js";
import { age, clockTime, count, number, rate, sentenceCase, shortNumber } from "./words.js";

const LEVEL_WORDS = { bad: "Needs help", unknown: "Unknown", warn: "Look at it", busy: "Changing", off: "Off", well: "Well" };
const SIDE_WORDS = { well: "answers", bad: "does not answer", unknown: "not known" };
const CONDITION_WORDS = { SourceReachable: "Source", TargetReachable: "Target", ManifestValid: "Manifest" };

export function makeCard(bridge) {
  const source = makeSide("source");
  const target = makeSide("target");
  const levelSign = sign("well");
  const levelWord = element("span");
  const title = element("p", { class: "card-title" });
  const text = element("p", { class: "card-text" });
  const note = element("p", { class: "card-note" });
  const dots = element("span", { class: "dots", "aria-hidden": "true" });
  const replicas = element("span");
  const chips = element("ul", { class: "chips", "aria-label": "Conditions" });
  const lag = makeChart("Lag", (value) => count(value, "record"));
  const speed = makeChart("Throughput", (value) => `${rate(value)} records/s`);
  const conditions = element("ul", { class: "facts" });
  const copies = element("ul", { class: "facts" });
  const figures = element("p", { class: "small" });
  const card = element("div", { class: "card" },
    element("div", { class: "card-head" },
      element("h3", {}, bridge.name),
      element("span", { class: "level" }, levelSign, levelWord),
      element("span", { class: "replicas" }, dots, replicas)),
    title, text, note, chips,
    element("div", { class: "charts" }, lag.node, speed.node),
    element("details", {},
      element("summary", {}, "Conditions and replicas"),
      element("h4", {}, "Conditions"), conditions, element("h4", {}, "Replicas"), copies, figures));
  const row = element("article", { class: "bridge", id: `bridge-${bridge.name}`, "aria-label": `Bridge ${bridge.name}` },
                      source.node, card, target.node);

  return {
    node: row,
    update(current, moment) {
      const { now, figures: store, span } = moment;
      const verdict = judge(current);
      setAttribute(row, "data-level", verdict.level);
      setSign(levelSign, verdict.level);
      setText(levelWord, LEVEL_WORDS[verdict.level]);
      const since = verdict.since && verdict.level !== "well" ? ` for ${age((now - Date.parse(verdict.since)) / 1000)}` : "";
      setText(title, verdict.level === "well" ? "" : `${verdict.title}${since}`);
      setText(text, verdict.text);
      setText(note, restartNotes(current, now).map((one) => restartText(one, now)).join(" "));
      source.update(current, now);
      target.update(current, now);
      setText(replicas, `${current.readyReplicas} of ${count(current.replicas, "replica")} ready`);
      keep(dots, [...Array(Math.max(current.replicas, current.readyReplicas)).keys()], String,
           () => element("i"), (dot, index) => setAttribute(dot, "class", index < current.readyReplicas ? "on" : ""));
      keep(chips, current.conditions, (one) => one.type, makeChip, updateChip);
      const seconds = now / 1000;
      const rateNow = store.currentRate(current.name, seconds);
      lag.update(store.lags(current.name), seconds, span, lagText(current));
      speed.update(store.rates(current.name), seconds, span, rateNow === null ? "not known" : `${rate(rateNow)} records/s`);
      keep(conditions, current.conditions, (one) => one.type, makeFact,
           (fact, one) => updateFact(fact, levelOf(one), `${one.type}: ${one.status}`,
                                     `${sentenceCase(one.reason)}${one.message ? `: ${one.message}` : ""}`,
                                     `since ${clockTime(one.lastTransitionTime, now)}`));
      keep(copies, current.replicaReports, (one) => one.container, makeFact,
           (fact, one) => updateFact(fact, one.ready ? "well" : "bad", `Replica ${one.ordinal}`,
                                     `${one.container} ${one.ready ? "is ready" : one.message || stateText(one)}${one.updated ? "" : "; of a former spec"}`,
                                     `${count(one.restarts, "restart")}, since ${one.startedAt ? clockTime(one.startedAt, now) : "–"}`));
      setText(figures, `${number(current.recordsCopied)} records copied since its replicas started; generation ${current.generation}.`);
    },
  };
}

// While a replica says nothing, the lag is more than what the others tell.
function lagText(bridge) {
  if (bridge.lag === null) return "not known";
  const atLeast = bridge.replicaReports.length < bridge.replicas || bridge.replicaReports.some((one) => one.state !== "running");
  return `${atLeast ? "at least " : ""}${shortNumber(bridge.lag)} ${bridge.lag === 1 ? "record" : "records"}`;
}

function restartText({ ordinal, startedAt, restarts }, now) {
  const before = restarts === 1 ? "" : ` (${number(restarts)} restarts by now)`;
  return `Replica ${ordinal} was started again ${age((now - Date.parse(startedAt)) / 1000)} ago${before}.`;
}

function makeSide(side) {
  const name = element("strong");
  const mark = sign("well");
  const state = element("span");
  const node = element("div", { class: `side ${side}` },
    element("div", { class: "cluster" }, element("span", { class: "small network" }), name, element("span", { class: "side-state" }, mark, state)),
    element("span", { class: "wire", "aria-hidden": "true" }));
  return {
    node,
    update(bridge, now) {
      const level = sideLevel(bridge, side);
      const one = bridge.conditions.find(({ type }) => type === (side === "source" ? "SourceReachable" : "TargetReachable"));
      setAttribute(node, "data-level", level);
      setText(node.querySelector(".network"), bridge[`${side}Network`]);
      setText(name, bridge[side] || "–");
      setSign(mark, level);
      setText(state, SIDE_WORDS[level] + (level === "bad" ? ` for ${age((now - Date.parse(one.lastTransitionTime)) / 1000)}` : ""));
    },
  };
}

function levelOf(one) {
  const good = isGood(one);
  return good === null ? "unknown" : good ? "well" : "bad";
}

function makeChip(one) {
  return element("li", {}, sign("well"), element("span", {}, CONDITION_WORDS[one.type] ?? one.type),
                 element("span", { class: "unseen" }));
}

function updateChip(chip, one) {
  const level = levelOf(one);
  setAttribute(chip, "data-level", level);
  setAttribute(chip, "title", `${one.type} ${one.status}: ${one.reason}`);
  setSign(chip.querySelector("svg"), level);
  setText(chip.querySelector(".unseen"), `: ${one.status}`);
}

function makeFact() {
  return element("li", {}, sign("well"), element("strong"), element("span", { class: "fact-text" }), element("span", { class: "small" }));
}

function updateFact(fact, level, name, text, when) {
  setAttribute(fact, "data-level", level);
  setSign(fact.querySelector("svg"), level);
  setText(fact.querySelector("strong"), name);
  setText(fact.querySelector(".fact-text"), text);
  setText(fact.querySelector(".small"), when);
}
