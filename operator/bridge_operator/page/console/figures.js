// The last minutes of every bridge, as the operator keeps them: taken over once, then added to.

const KEPT_SECONDS = 600;
const RATE_SECONDS = 10;

export class Figures {
  constructor() {
    this.tracks = new Map();
    this.watchedSince = 0;
  }

  // The youngest point that is known: what is younger is asked for next.
  get newest() {
    let newest = 0;
    for (const track of this.tracks.values()) newest = Math.max(newest, track.at(-1)?.time ?? 0);
    return newest;
  }

  take(history, now) {
    if (history.watchedSince !== this.watchedSince) {
      // Another operator: it counts from zero, and may not have answered all that was asked.
      const isFirst = this.watchedSince === 0;
      this.watchedSince = history.watchedSince;
      this.tracks.clear();
      if (!isFirst) return;
    }
    for (const [name, { times, lag, recordsCopied }] of Object.entries(history.bridges)) {
      const track = this.tracks.get(name) ?? [];
      this.tracks.set(name, track);
      const last = track.at(-1)?.time ?? 0;
      times.forEach((time, index) => {
        if (time > last) track.push({ time, lag: lag[index], copied: recordsCopied[index] });
      });
    }
    for (const [name, track] of this.tracks) {
      while (track.length && track[0].time < now - KEPT_SECONDS) track.shift();
      if (!track.length) this.tracks.delete(name);
    }
  }

  lags(name) {
    return (this.tracks.get(name) ?? []).map(({ time, lag }) => ({ time, value: lag }));
  }

  // Records per second, from one known count to the next; a silence between them is averaged over.
  rates(name) {
    const points = [];
    let before = null;
    for (const { time, copied } of this.tracks.get(name) ?? []) {
      if (copied === null) continue;
      if (before) points.push({ time, value: (copied - before.copied) / (time - before.time) });
      before = { time, copied };
    }
    return points;
  }

  // Over the last seconds, since a bridge commits in bursts; null where nothing is known that is young enough.
  currentRate(name, now) {
    const known = (this.tracks.get(name) ?? []).filter(({ copied }) => copied !== null);
    const last = known.at(-1);
    if (!last || last.time < now - RATE_SECONDS * 1.5) return null;
    const first = known.find(({ time }) => time >= last.time - RATE_SECONDS);
    return first === last ? null : (last.copied - first.copied) / (last.time - first.time);
  }

  // How far charts reach back: all of them alike, and no further than there is something to show.
  span(now) {
    let oldest = now;
    for (const track of this.tracks.values()) oldest = Math.min(oldest, track[0]?.time ?? now);
    return [60, 120, 300].find((seconds) => now - oldest <= seconds) ?? KEPT_SECONDS;
  }
}
