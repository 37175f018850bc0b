// Asks the operator twice a second, and shows what it says. When it is silent, the page says that itself.

import { byId, element, keep, setAttribute, setSign, setText, sign } from "./dom.js";
import { Figures } from "./figures.js";
import { showGroups } from "./groups.js";
import { NEEDS_SOMEBODY, lagOf, troublesOf, verdictOf } from "./judge.js";
import { age, clockTime, lasting, number, rate, shortNumber } from "./words.js";

const ASK_EVERY_MS = 500;
// What is seldom new is asked for less often: at each second look, and at each fourth.
const EVENTS_EVERY = 2;
const FIGURES_EVERY = 4;
// An operator of very many bridges takes its time: a page is not to keep it busy.
const PAUSE_PER_ANSWER = 9;
const ASK_HIDDEN_EVERY_MS = 10_000;
const ANSWER_WITHIN_MS = 4000;
const SILENT_AFTER_MS = 2500;
const SHOWN_EVENTS = 100;
const SHOWN_SUBJECTS = 6;

const figures = new Figures();
// The operator's clock is the one that counts: `clockLead` is what it is ahead of this one.
const known = { report: null, events: null, eventsTag: null, clockLead: 0, looks: 0, answeredAt: 0, openedAt: Date.now(), fault: "" };

async function ask(path) {
  const answer = await fetch(path, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) }).catch((error) => {
    throw new Error(error.name === "TimeoutError" ? "it takes too long to answer" : "no connection to it");
  });
  if (!answer.ok) throw new Error(answerFault(answer.status));
  return answer;
}

function answerFault(status) {
  if (status === 429) return "the proxy finds that it is asked too often; close other pages of it";
  if (status === 401 || status === 403) return "it wants a login; load this page again";
  if (status === 502 || status === 503 || status === 504) return `the proxy cannot reach it (HTTP ${status})`;
  return `it answers with HTTP ${status}`;
}

async function look() {
  try {
    const isDue = (every) => document.hidden || known.looks % every === 0;
    const [status, events, history] = await Promise.all([
      ask("status"),
      isDue(EVENTS_EVERY) ? ask("events") : null,
      isDue(FIGURES_EVERY) ? ask(`history?after=${figures.newest}`) : null,
    ]);
    const report = await status.json();
    known.clockLead = Date.parse(report.writtenAt) - Date.now();
    if (history) figures.take(await history.json(), operatorNow() / 1000);
    if (events) await takeEvents(events);
    Object.assign(known, { report, answeredAt: Date.now(), fault: "", looks: known.looks + 1 });
  } catch (error) {
    known.fault = error instanceof SyntaxError ? "something else answers in its place" : error.message;
  }
  show();
}

async function takeEvents(answer) {
  const tag = answer.headers.get("ETag");
  if (tag !== null && tag === known.eventsTag) return;
  known.events = (await answer.json()).events;
  known.eventsTag = tag;
}

function operatorNow() {
  return Date.now() + known.clockLead;
}

function show() {
  showPulse();
  if (!known.report) return;
  const now = operatorNow();
  const troubles = troublesOf(known.report);
  byId("main").hidden = false;
  setText(byId("instance"), known.report.instance);
  showVerdict(troubles, now);
  showGroups(known.report, { now, figures, span: figures.span(now / 1000) });
  showEvents(now);
}

// Whether all this is true at the moment; shown more often than it is asked, since an answer may not come.
function showPulse() {
  const silentMs = Date.now() - (known.answeredAt || known.openedAt);
  const isSilent = silentMs > SILENT_AFTER_MS || (known.fault !== "" && !known.answeredAt);
  document.body.classList.toggle("silent", isSilent);
  setAttribute(byId("pulse"), "data-state", isSilent ? "silent" : known.answeredAt ? "live" : "waiting");
  setText(byId("pulse-text"), isSilent ? "no answer" : known.answeredAt ? "live" : "connecting");
  byId("silence").hidden = !isSilent;
  if (!isSilent) return;
  const reason = known.fault ? `: ${known.fault}` : "";
  if (known.answeredAt) {
    setText(byId("silence-title"), `The operator has not answered since ${clockTime(known.answeredAt, Date.now())} (${age(silentMs / 1000)})${reason}`);
    setText(byId("silence-text"), "Below is what it said last. Bridges go on copying without it; nobody heals them until it is back.");
    document.title = "No answer – Kafka bridges";
  } else {
    setText(byId("silence-title"), `The operator does not answer${reason}`);
    setText(byId("silence-text"), `Asked since ${clockTime(known.openedAt, Date.now())} (${age(silentMs / 1000)}). Bridges go on copying without it.`);
    document.title = "No answer – Kafka bridges";
  }
  setAttribute(byId("favicon"), "href", "console/icon-trouble.svg");
}

function showVerdict(troubles, now) {
  const verdict = verdictOf(known.report, troubles);
  setAttribute(byId("verdict"), "data-level", verdict.level);
  setAttribute(byId("verdict-sign"), "href", `#sign-${verdict.level}`);
  const isSilent = document.body.classList.contains("silent");
  setText(byId("verdict-title"), isSilent ? `When last heard: ${verdict.title}` : verdict.title);
  setText(byId("verdict-text"), verdict.text);
  keep(byId("troubles"), troubles, (one) => one.key, makeTrouble, (item, one) => {
    keep(item.querySelector(".subjects"), subjectsOf(one), ({ name }) => name, makeSubject, () => undefined);
    setAttribute(item, "data-level", one.level);
    setSign(item.querySelector("svg"), one.level);
    setText(item.querySelector(".trouble-text"), one.text);
    setText(item.querySelector(".small"), lasting(one.since, now));
  });
  const bridges = known.report.bridges;
  const rates = bridges.map((one) => figures.currentRate(one.name, now / 1000)).filter((one) => one !== null);
  const totals = [
    ["Bridges", number(bridges.length)],
    ["Replicas ready", `${number(sum(bridges.map((one) => one.readyReplicas)))} of ${number(sum(bridges.map((one) => one.replicas)))}`],
    ["Lag, records", lagOfAll(bridges)],
    ["Records per second", rates.length ? rate(sum(rates)) : "–"],
  ];
  keep(byId("totals"), totals, ([name]) => name, ([name]) => element("div", {}, element("dt", {}, name), element("dd")),
       (item, [, value]) => setText(item.querySelector("dd"), value));
  if (isSilent) return;
  const isTrouble = NEEDS_SOMEBODY.has(verdict.level);
  document.title = `${isTrouble ? "✗ " : ""}${verdict.title} – ${known.report.instance}`;
  setAttribute(byId("favicon"), "href", isTrouble ? "console/icon-trouble.svg" : "console/icon.svg");
}

function sum(numbers) {
  return numbers.reduce((total, one) => total + one, 0);
}

// Where a bridge says nothing, the others' lag is a part of it, and none of theirs tells nothing.
function lagOfAll(bridges) {
  const lags = bridges.map(lagOf).filter((one) => one !== null);
  const isPartial = bridges.some((one) => lagOf(one) === null && one.replicas > 0);
  if (!lags.length || (isPartial && sum(lags) === 0)) return "–";
  return `${isPartial ? "at least " : ""}${shortNumber(sum(lags))}`;
}

function makeTrouble(one) {
  return element("li", {}, sign(one.level),
    element("span", { class: "trouble-title" }, element("span", { class: "subjects" }), element("span", {}, one.title), element("span", { class: "small" })),
    element("span", { class: "trouble-text" }));
}

function subjectsOf({ subjects }) {
  const rest = subjects.length - SHOWN_SUBJECTS;
  return rest > 0 ? [...subjects.slice(0, SHOWN_SUBJECTS), { name: `and ${rest} more` }] : subjects;
}

function makeSubject({ name, anchor }) {
  return anchor ? element("a", { href: `#bridge-${anchor}` }, name) : element("span", {}, name);
}

function showEvents(now) {
  const events = (known.events ?? []).map((event, index) => ({ ...event, index })).slice(-SHOWN_EVENTS).reverse();
  byId("no-events").hidden = events.length > 0;
  keep(byId("events"), events, (one) => `${one.time} ${one.bridge} ${one.reason} ${one.message}`, makeEvent,
       (item, one) => setText(item.querySelector("time"), clockTime(one.time, now)));
}

function makeEvent(event) {
  const isWarning = event.type === "Warning";
  return element("li", { "data-level": isWarning ? "warn" : "well" },
    element("time", { datetime: event.time }), sign(isWarning ? "warn" : "well", isWarning ? "Warning" : "Normal"),
    element("strong", {}, event.bridge || "operator"), element("span", { class: "reason" }, event.reason),
    element("span", { class: "event-text" }, event.message));
}

async function showLinks() {
  try {
    const links = await (await ask("links")).json();
    keep(byId("links"), Object.entries(links), ([name]) => name,
         ([name, path]) => element("a", { href: path }, `Kafka UI: ${name}`), () => undefined);
  } catch {
    // They are for convenience; the page says by itself that the operator does not answer.
  }
}

async function goOn() {
  let wake = () => undefined;
  document.addEventListener("visibilitychange", () => wake());
  for (;;) {
    const beganAt = Date.now();
    await look();
    const tookMs = Date.now() - beganAt;
    const every = document.hidden ? ASK_HIDDEN_EVERY_MS : ASK_EVERY_MS;
    const pauseMs = known.fault ? every : Math.max(every - tookMs, Math.min(PAUSE_PER_ANSWER * tookMs, ASK_HIDDEN_EVERY_MS));
    await new Promise((resolve) => {
      wake = resolve;
      setTimeout(resolve, pauseMs);
    });
  }
}

byId("filter").addEventListener("input", show);
setInterval(showPulse, 500);
showLinks();
goOn();
