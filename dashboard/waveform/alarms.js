// Alarms in words and order; nothing here touches the page.

const RANK = { high: 0, medium: 1, low: 2 };
export const STARS = { high: "***", medium: "**", low: "*" };

// The most serious first; of equals those that nobody has acknowledged, then the newest.
export function byUrgency(alarms) {
  return [...alarms].sort(
    (a, b) =>
      RANK[a.priority] - RANK[b.priority] ||
      a.acknowledged - b.acknowledged ||
      b.onset_ms - a.onset_ms,
  );
}

export function worst(alarms) {
  return byUrgency(alarms)[0] ?? null;
}

// What flashes and sounds: the most serious alarm that nobody has acknowledged.
export function calling(alarms) {
  return byUrgency(alarms.filter((alarm) => !alarm.acknowledged))[0] ?? null;
}

// The priority that sounds, of everybody's alarms: whose audio is paused makes no sound.
export function heard(alarms) {
  return calling(alarms.filter(({ silenced }) => !silenced))?.priority;
}

export function tagText(alarm) {
  return `${STARS[alarm.priority]} ${alarm.text}`;
}

// What stands behind an alarm in the list: does it hold, who has seen it.
export function stateWords(alarm) {
  const holds = alarm.holds ? "active" : "over, not acknowledged";
  if (!alarm.acknowledged) return holds;
  const by = alarm.author ? ` by ${alarm.author}` : "";
  return `${alarm.holds ? "active" : "over"}, acknowledged${by}`;
}

const WORDS = {
  lead_off: "LEAD OFF — check the electrodes",
  missing: "NO SIGNAL from this lead",
  flat: "FLAT LINE — check the leads",
  clipped: "SIGNAL TOO LARGE — check gain and electrodes",
  noisy: "NOISY SIGNAL — check the electrodes",
};

export function qualityWords(reason) {
  return WORDS[reason] ?? String(reason);
}

// One line on how well the ECG can be judged now.
export function judgement(state) {
  if (!state || !state.judged) return { words: "not judged yet", good: false };
  if (!state.fit) return { words: `unfit: ${(state.reason ?? "").replace("_", " ")}`, good: false };
  if (!state.model) return { words: "no model loaded", good: false };
  if (state.warm_up) return { words: "learning (first 30 s)", good: false };
  return { words: "signal good", good: true };
}

export function ageWords(ms) {
  if (ms === null || ms === undefined) return "no data yet";
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 120_000) return `${Math.round(ms / 1000)} s`;
  return `${Math.round(ms / 60_000)} min`;
}
