// One figure over time, as a line with its area. Gaps stay gaps.

import { element, setAttribute, setText, svgElement } from "./dom.js";
import { age, shortNumber } from "./words.js";

const WIDTH = 300;
const HEIGHT = 56;

export function makeChart(title, describe) {
  const area = svgElement("path", { class: "area" });
  const line = svgElement("path", { class: "line" });
  const mark = svgElement("line", { class: "mark", y1: 0, y2: HEIGHT });
  const svg = svgElement("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" }, area, line, mark);
  const value = element("span", { class: "value" });
  const top = element("span", { class: "top-value" });
  const from = element("span");
  const caption = element("figcaption", {}, element("span", { class: "title" }, title), value);
  const chart = element("figure", { class: "chart" }, caption, element("div", { class: "plot" }, svg, top),
                        element("div", { class: "axis", "aria-hidden": "true" }, from, element("span", {}, "now")));
  const state = { points: [], now: 0, span: 60, latest: "", hovered: null };

  function show() {
    const { points, now, span } = state;
    const highest = niceTop(Math.max(1, ...points.map((one) => one.value ?? 0)));
    const x = (time) => ((time - now + span) / span) * WIDTH;
    const y = (number) => HEIGHT - 1 - (number / highest) * (HEIGHT - 4);
    const runs = runsOf(points.filter((one) => one.time >= now - span));
    setAttribute(line, "d", runs.map((run) => path(run, x, y)).join(""));
    setAttribute(area, "d", runs.map((run) => `${path(run, x, y)}L${x(run.at(-1).time)} ${HEIGHT}L${x(run[0].time)} ${HEIGHT}Z`).join(""));
    setText(top, shortNumber(highest));
    setText(from, `${span / 60} min ago`);
    setAttribute(svg, "aria-label", `${title} over the last ${span / 60} min: now ${state.latest}, at most ${shortNumber(highest)}`);
    const near = state.hovered === null ? null : nearest(points, now - span + state.hovered * span);
    mark.toggleAttribute("hidden", !near);
    setAttribute(mark, "class", near ? "mark shown" : "mark");
    if (near) {
      setAttribute(mark, "x1", String(x(near.time)));
      setAttribute(mark, "x2", String(x(near.time)));
    }
    setText(value, near ? `${describe(near.value)} (${age(now - near.time)} ago)` : state.latest);
  }

  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    state.hovered = (event.clientX - box.left) / box.width;
    show();
  });
  svg.addEventListener("pointerleave", () => {
    state.hovered = null;
    show();
  });
  return {
    node: chart,
    update(points, now, span, latest) {
      Object.assign(state, { points, now, span, latest });
      show();
    },
  };
}

function path(run, x, y) {
  return run.map(({ time, value }, index) => `${index ? "L" : "M"}${x(time).toFixed(1)} ${y(value).toFixed(1)}`).join("");
}

// Stretches of points that are known.
function runsOf(points) {
  const runs = [[]];
  for (const point of points) {
    if (point.value === null) runs.push([]);
    else runs.at(-1).push(point);
  }
  return runs.filter((run) => run.length > 0);
}

function nearest(points, time) {
  let best = null;
  for (const point of points) {
    if (point.value !== null && (!best || Math.abs(point.time - time) < Math.abs(best.time - time))) best = point;
  }
  return best;
}

// 1, 2 or 5 times a power of ten.
function niceTop(highest) {
  const power = 10 ** Math.floor(Math.log10(highest));
  return [1, 2, 5, 10].map((factor) => factor * power).find((top) => top >= highest);
}
