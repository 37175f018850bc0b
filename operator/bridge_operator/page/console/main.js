// Asks the operator each second, and shows what it says. When it is silent, the page says that itself.

import { byId, element, keep, setAttribute, setSign, setText, sign } from "./dom.js";
import { Figures } from "./figures.js";
import { showGroups } from "./groups.js";
import { NEEDS_SOMEBODY, troublesOf, verdictOf } from "./judge.js";
import { age, clockTime, number, rate, shortNumber } from "./words.js";

const ASK_EVERY_MS = 1000;
const ASK_HIDDEN_EVERY_MS = 10_000;
const ANSWER_WITHIN_MS = 4000;
const SILENT_AFTER_MS = 2500;
const SHOWN_EVENTS = 100;

const figures = new Figures();
// The operator's clock is the one that counts: `clockLead` is what it is ahead of this one.
const known = { report: null, events: null, eventsTag: null, clockLead: 0, answeredAt: 0, openedAt: Date.now(), fault: "" };

async function ask(path) {
  const answer = await fetch(path, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
  if (!answer.ok) throw new Error(answerFault(answer.status));
  return answer;
}

function answerFault(status) {
  if (status === 401 || status === 403) return "it wants a login; load this page again";
  if (status === 502 || status === 503 || status === 504) return `the proxy cannot reach it (HTTP ${status})`;
  return `it answers with HTTP ${status}`;
}

async function look() {
  try {
    const [status, events, history] = await Promise.all([ask("status"), ask("events"), ask(`history?after=${figures.newest}`)]);
    const report = await status.json();
    known.clockLead = Date.parse(report.writtenAt) - Date.now();
    figures.take(await history.json(), operatorNow() / 1000);
    const tag = events.headers.get("ETag");
    if (tag === null || tag !== known.eventsTag) {
      known.events = (await events.json()).events;
      known.eventsTag = tag;
    }
    Object.assign(known, { report, answeredAt: Date.now(), fault: "" });
  } catch (error) {
    known.fault = error instanceof TypeError ? "no connection to it" : error.name === "TimeoutError" ? "it takes too long to answer" : error.message;
  }
  show();
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
  setText(byId("verdict-title"), verdict.title);
  setText(byId("verdict-text"), verdict.text);
  keep(byId("troubles"), troubles, (one) => `${one.subject} ${one.title}`, makeTrouble, (item, one) => {
    setAttribute(item, "data-level", one.level);
    setSign(item.querySelector("svg"), one.level);
    setText(item.querySelector(".trouble-text"), one.text);
    setText(item.querySelector(".small"), one.since ? `for ${age((now - Date.parse(one.since)) / 1000)}` : "");
  });
  const bridges = known.report.bridges;
  const lags = bridges.map((one) => one.lag).filter((one) => one !== null);
  const rates = bridges.map((one) => figures.currentRate(one.name, now / 1000)).filter((one) => one !== null);
  const sum = (numbers) => numbers.reduce((total, one) => total + one, 0);
  const totals = [
    ["Bridges", number(bridges.length)],
    ["Replicas ready", `${number(sum(bridges.map((one) => one.readyReplicas)))} of ${number(sum(bridges.map((one) => one.replicas)))}`],
    ["Lag, records", lags.length ? shortNumber(sum(lags)) : "–"],
    ["Records per second", rates.length ? rate(sum(rates)) : "–"],
  ];
  keep(byId("totals"), totals, ([name]) => name, ([name]) => element("div", {}, element("dt", {}, name), element("dd")),
       (item, [, value]) => setText(item.querySelector("dd"), value));
  if (document.body.classList.contains("silent")) return;
  const isTrouble = NEEDS_SOMEBODY.has(verdict.level);
  document.title = `${isTrouble ? "✗ " : ""}${verdict.title} – ${known.report.instance}`;
  setAttribute(byId("favicon"), "href", isTrouble ? "console/icon-trouble.svg" : "console/icon.svg");
}

function makeTrouble(one) {
  const subject = one.anchor ? element("a", { href: `#bridge-${one.anchor}` }, one.subject) : element("strong", {}, one.subject);
  return element("li", {}, sign(one.level), element("span", { class: "trouble-title" }, subject, ` ${one.title} `, element("span", { class: "small" })),
                 element("span", { class: "trouble-text" }));
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
    const every = document.hidden ? ASK_HIDDEN_EVERY_MS : ASK_EVERY_MS;
    await new Promise((resolve) => {
      wake = resolve;
      setTimeout(resolve, Math.max(200, every - (Date.now() - beganAt)));
    });
  }
}

byId("filter").addEventListener("input", show);
setInterval(showPulse, 500);
showLinks();
goOn();
