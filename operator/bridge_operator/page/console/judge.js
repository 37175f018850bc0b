// What is wrong, and how bad it is: from the operator's report to levels and sentences. Pure.
//
// Levels, worst first: bad (records do not cross as they should), unknown (nobody can tell), warn (they cross, and
// something needs a person), busy (the operator is at work), off (somebody wanted it so), well.

import { count, sentenceCase } from "./words.js";

export const LEVELS = ["bad", "unknown", "warn", "busy", "off", "well"];
export const NEEDS_SOMEBODY = new Set(["bad", "unknown", "warn"]);

const WANTED_OFF = new Set(["Suspended", "ScaledToZero", "ManifestDeleted"]);
const VAGUE = new Set(["ReplicasNotReady", "RolloutNotComplete"]);
const RECENT_SECONDS = 60;

export function worst(levels) {
  return LEVELS.find((level) => levels.includes(level)) ?? "well";
}

export function condition(bridge, type) {
  return bridge.conditions.find((one) => one.type === type);
}

// Whether a condition is as it should be: true, false, or null where nobody knows.
export function isGood(one) {
  if (one.status === "Unknown") return null;
  return (one.status === "True") === (one.type !== "Degraded");
}

// Of "source" or "target": well, bad, or unknown.
export function sideLevel(bridge, side) {
  const one = condition(bridge, side === "source" ? "SourceReachable" : "TargetReachable");
  const good = one ? isGood(one) : null;
  return good === null ? "unknown" : good ? "well" : "bad";
}

// { level, title, text, since } of one bridge.
export function judge(bridge) {
  const ready = condition(bridge, "Ready");
  const manifest = condition(bridge, "ManifestValid");
  const degraded = condition(bridge, "Degraded");
  const paused = bridge.paused ? { level: "warn", title: "Paused", text: "The manifest says so: nothing is healed." } : null;
  if (!ready) return { level: "busy", title: "Not looked at yet", text: "" };
  if (ready.status === "Unknown") return told("unknown", sentenceCase(ready.reason), ready);
  if (ready.status === "False") return WANTED_OFF.has(ready.reason) ? told("off", offTitle(ready), ready) : notReady(bridge, ready);
  if (manifest?.status === "False") return told("warn", "Its manifest is wrong", manifest);
  if (degraded?.status === "True") return told("warn", sentenceCase(degraded.reason), degraded);
  if (paused) return paused;
  return { level: "well", title: "Copies", text: "", since: ready.lastTransitionTime };
}

function notReady(bridge, ready) {
  const progressing = condition(bridge, "Progressing");
  const degraded = condition(bridge, "Degraded");
  if (ready.reason === "SourceUnreachable") return told("bad", `The source ${bridge.source} does not answer`, ready);
  if (ready.reason === "TargetUnreachable") return told("bad", `The target ${bridge.target} does not answer`, ready);
  if (VAGUE.has(ready.reason)) {
    if (degraded?.status === "True") return told("bad", sentenceCase(degraded.reason), degraded);
    if (progressing?.status === "False") return told("bad", sentenceCase(progressing.reason), progressing);
    if (progressing?.status === "True" && progressing.reason !== "RolloutComplete") {
      return told("busy", "An update is under way", { ...progressing, lastTransitionTime: ready.lastTransitionTime });
    }
    return { ...told("bad", replicaTitle(bridge), ready), text: replicaText(bridge) };
  }
  return told("bad", sentenceCase(ready.reason), ready);
}

function told(level, title, one) {
  return { level, title, text: one.message, since: one.lastTransitionTime };
}

function offTitle(ready) {
  return { Suspended: "Suspended", ScaledToZero: "No replicas wanted", ManifestDeleted: "Being removed" }[ready.reason];
}

function replicaTitle(bridge) {
  const down = bridge.replicas - bridge.readyReplicas;
  if (bridge.readyReplicas === 0) return bridge.replicas === 1 ? "Its replica does not copy" : "No replica copies";
  return `${down} of ${count(bridge.replicas, "replica")} ${down === 1 ? "does" : "do"} not copy`;
}

function replicaText(bridge) {
  const there = bridge.replicaReports.filter((one) => !one.ready);
  return there.map((one) => `Replica ${one.ordinal}: ${one.message || stateText(one)}`).join("; ");
}

export function stateText(replica) {
  return replica.state === "running" ? "runs, and is not ready yet" : replica.state;
}

// A crash that was mended within a second is still worth a look for a minute.
export function restartNotes(bridge, now) {
  return bridge.replicaReports
    .filter((one) => one.restarts > 0 && one.startedAt && now - Date.parse(one.startedAt) < RECENT_SECONDS * 1000)
    .map((one) => ({ ordinal: one.ordinal, startedAt: one.startedAt, restarts: one.restarts }));
}

// All that needs somebody, worst first: { level, subject, anchor, title, text, since }.
export function troublesOf(report) {
  const found = [];
  if (!report.engineReachable) {
    found.push({ level: "bad", subject: "Docker engine", title: "It does not answer the operator", text: report.engineMessage });
  }
  if (report.folderFault) {
    found.push({ level: "warn", subject: "Manifests", title: "Nothing is changed or removed", text: report.folderFault });
  }
  for (const stuck of report.stuckPasses) {
    found.push({ level: "warn", subject: stuck.bridge, anchor: stuck.bridge, title: "The operator is stuck on it",
                 text: `for ${stuck.seconds} s; what is told of it may be old` });
  }
  const verdicts = report.bridges.map((bridge) => ({ bridge, ...judge(bridge) }));
  for (const { bridge, level, title, text, since } of verdicts) {
    if (NEEDS_SOMEBODY.has(level)) found.push({ level, subject: bridge.name, anchor: bridge.name, title, text, since });
  }
  // Told by its bridge already, where there is one that runs and has nothing worse to tell.
  const tellers = new Set(verdicts.filter((one) => one.title === "Its manifest is wrong").map((one) => one.bridge.name));
  for (const problem of report.problems) {
    if (problem.kind === "KafkaBridge" && tellers.has(problem.name)) continue;
    const known = report.bridges.some((one) => one.name === problem.name && problem.kind === "KafkaBridge");
    found.push({ level: "warn", subject: problem.name || problem.file, anchor: known ? problem.name : undefined,
                 title: "Its manifest is wrong", text: problemText(problem) });
  }
  return found.sort((one, other) => LEVELS.indexOf(one.level) - LEVELS.indexOf(other.level));
}

export function problemText(problem) {
  const field = problem.fieldPath ? `${problem.fieldPath}: ` : "";
  return `${problem.file}:${problem.line}:${problem.column}: ${field}found ${problem.found}, expected ${problem.expected}`;
}

// The sentence at the top: { level, title, text }.
export function verdictOf(report, troubles) {
  const bridges = report.bridges.map((one) => judge(one).level);
  const level = worst([...bridges.filter((one) => one !== "off"), ...troubles.map((one) => one.level)]);
  const bad = bridges.filter((one) => one === "bad" || one === "unknown").length;
  const off = bridges.filter((one) => one === "off").length;
  if (level === "bad" || level === "unknown") {
    const title = bad > 0 ? `${bad} of ${count(bridges.length, "bridge")} ${bad === 1 ? "needs" : "need"} help` : "The operator cannot work";
    return { level, title, text: "What is wrong, worst first:" };
  }
  if (level === "warn") {
    const title = bridges.length === 0 ? "Nothing runs, and something needs you" : "Bridges copy, and something needs you";
    return { level, title, text: "What to look at:" };
  }
  if (bridges.length === 0) return { level: "off", title: "No bridges", text: "The operator is well and has nothing to do." };
  const busy = bridges.filter((one) => one === "busy").length;
  if (busy > 0) return { level, title: `${count(busy, "bridge")} ${busy === 1 ? "is" : "are"} being changed`, text: "The operator is at work." };
  const running = bridges.length - off;
  if (running === 0) return { level: "off", title: "All bridges are switched off", text: "Their manifests say so." };
  const text = off > 0 ? `${count(off, "bridge")} switched off by manifest.` : "Both sides answer, and every replica copies.";
  return { level, title: running === 1 ? "All is well: 1 bridge copies" : `All is well: ${running} bridges copy`, text };
}
