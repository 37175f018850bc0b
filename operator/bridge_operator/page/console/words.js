// How things are said: counts, ages and times for people. Pure.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

export function number(value) {
  return value === null || value === undefined ? "–" : whole.format(value);
}

// Where there is little room: 12, 1,204, 38.2K, 4.1M.
export function shortNumber(value) {
  if (value === null || value === undefined) return "–";
  return Math.abs(value) < 10_000 ? whole.format(value) : short.format(value);
}

// Records per second: slow bridges have less than one.
export function rate(value) {
  if (value === null || value === undefined) return "–";
  return value > 0 && value < 10 ? value.toFixed(1) : shortNumber(value);
}

export function count(value, singular, plural = `${singular}s`) {
  return `${number(value)} ${value === 1 ? singular : plural}`;
}

export function age(seconds) {
  const rest = Math.max(0, Math.floor(seconds));
  if (rest < 120) return `${rest} s`;
  if (rest < 7200) return `${Math.floor(rest / 60)} min`;
  if (rest < 48 * 3600) return `${Math.floor(rest / 3600)} h`;
  return `${Math.floor(rest / 86_400)} days`;
}

// The reader's own clock; with the day where it is not today.
export function clockTime(moment, now) {
  const date = new Date(moment);
  const time = date.toLocaleTimeString("en-GB");
  const isToday = date.toDateString() === new Date(now).toDateString();
  return isToday ? time : `${date.toLocaleDateString("en-GB", { day: "numeric", month: "short" })} ${time}`;
}

// CamelCase reasons as words: TargetTopicConflict becomes "Target topic conflict".
export function sentenceCase(reason) {
  const words = reason.replace(/([a-z0-9])([A-Z])/g, "$1 $2").toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}
