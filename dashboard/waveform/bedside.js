// Bedside: one patient, all leads on calibrated paper, large numbers, the alarm list.

import { ageWords, calling, judgement, qualityWords } from "./alarms.js";
import { el, flag, say, show } from "./dom.js";
import { BAND } from "./filter.js";
import { DownBanner, Head } from "./head.js";
import { AlarmList } from "./list.js";
import { NO_DATA_MS } from "./store.js";
import { Sweep } from "./sweep.js";

const ROWS = { labels: 30, score: 84 };
const SILENCE_S = 120;

export class Bedside {
  constructor({ store, link, sound, patient }) {
    Object.assign(this, { store, link, sound, id: patient });
    this.head = new Head(sound, "");
    this.down = new DownBanner();
    this.gridCanvas = el("canvas", { class: "paper", "aria-hidden": "true" });
    this.traceCanvas = el("canvas", { class: "pen", role: "img", "aria-label": `ECG of ${patient}` });
    this.leadLabels = el("div", { class: "lead-labels" });
    this.words = el("div", { class: "words", role: "status", hidden: true });
    this.scoreLabel = el("div", { class: "score-label" }, "anomaly score 1 − P(N)");
    this.screen = el(
      "div", { class: "screen" },
      this.gridCanvas, this.traceCanvas, this.leadLabels, this.scoreLabel, this.words,
    );
    this.heartRate = el("div", { class: "number" }, "--");
    this.limits = el("div", { class: "limits" });
    this.ventricular = el("div", { class: "number" }, "--");
    this.score = el("div", { class: "value" });
    this.beat = el("div", { class: "value" });
    this.quality = el("div", { class: "value" });
    this.age = el("div", { class: "value age" });
    this.numbers = el(
      "aside", { class: "numbers" },
      el("section", { class: "hr" }, el("h2", {}, "HR", el("small", {}, " /min")), this.heartRate, this.limits),
      el("section", { class: "second" }, el("h2", {}, "V", el("small", {}, " /min")), this.ventricular),
      el("section", {}, el("h2", {}, "Anomaly score"), this.score, this.beat),
      el("section", {}, el("h2", {}, "ECG"), this.quality),
      el("section", {}, el("h2", {}, "Data age"), this.age),
    );
    this.alarms = new AlarmList((alarmId) => this.acknowledge(alarmId));
    this.pause = el("button", { class: "pause", onclick: () => this.silence() }, "Audio pause 2 min");
    this.foot = el(
      "footer", { class: "foot" },
      this.alarms.element,
      el("div", { class: "keys" }, this.pause,
        el("p", {}, el("kbd", {}, "A"), " acknowledge the first alarm  ", el("kbd", {}, "P"), " audio pause"),
        el("p", { class: "notice" }, "Not a medical device; not for clinical use.")),
    );
    this.element = el(
      "div", { class: "monitor bedside", tabindex: "-1" },
      this.head.element, this.down.element, this.screen, this.numbers, this.foot,
    );
    this.sweep = new Sweep(this.gridCanvas, this.traceCanvas, { scale: {}, rows: ROWS });
    this.laidOut = "";
  }

  get patient() {
    return this.store.patient(this.id);
  }

  key(event) {
    if (event.key === "a" || event.key === "A") this.alarms.acknowledgeFirst();
    else if (event.key === "p" || event.key === "P") this.silence();
  }

  acknowledge(alarmId) {
    return this.link.send({ type: "acknowledge", patient: this.id, alarm_id: alarmId });
  }

  opened() {
    this.alarms.unanswered();
  }

  silence() {
    const sent = this.link.send({ type: "silence", patient: this.id, seconds: SILENCE_S });
    if (!sent) this.alarms.tell(null, "No audio pause: no connection.");
  }

  // A few times a second: everything that is text.
  update(nowMs) {
    const patient = this.patient;
    const { state } = patient;
    const troubles = this.store.troubles(this.link, this.id, nowMs);
    const alarms = state?.alarms ?? [];
    const serverMs = this.store.serverMs(nowMs);
    const watched = Boolean(state) && !state.discharged;
    flag(this.element, "state", troubles.length ? "down" : watched ? "ok" : "unwatched");
    const pausedMs = this.store.pausedMs(this.id, nowMs);
    const paused = pausedMs > 0;
    this.head.update(alarms, serverMs, troubles);
    this.title(state);
    this.down.update(troubles);
    // also while something is down: whoever has not answered an alarm still has to
    if (!paused) this.sound.call(calling(alarms)?.priority);
    say(this.pause, paused ? `Audio paused ${Math.ceil(pausedMs / 1000)} s` : "Audio pause 2 min");
    flag(this.pause, "on", paused);
    for (const reply of this.store.replies.splice(0)) {
      if (!reply.ok) this.alarms.failed(reply.alarm_id ?? null, `Not done: ${reply.text}`);
    }
    const well = watched && !troubles.length;
    this.readings(patient, state, nowMs, well);
    this.alarms.update(alarms, nowMs, well);
  }

  title(state) {
    const parts = state?.bed ? [state.bed, this.id] : [this.id];
    if (state?.unit) parts.push(state.unit);
    say(this.head.name, parts.join(" · "));
    // apart from the name, which is cut where it is long
    const facts = [];
    if (state) facts.push(state.adult ? "ADULT" : "CHILD");
    if (state?.paced) facts.push("PACED");
    if (state?.standby) facts.push("STANDBY");
    say(this.head.facts, facts.map((fact) => ` · ${fact}`).join(""));
    say(this.head.label, state?.label ?? "");
  }

  readings(patient, state, nowMs, well) {
    const live = patient.live(nowMs) && well;
    flag(this.screen, "live", live);
    say(this.heartRate, live && state?.heart_rate != null ? String(Math.round(state.heart_rate)) : "--");
    say(this.ventricular, live && state?.v_per_min != null ? String(state.v_per_min) : "--");
    const { hr_high: high, hr_low: low } = state?.limits ?? {};
    say(this.limits, high ? `${high}\n${low}` : "");
    const last = live ? patient.beats.at(-1) : null;
    say(this.score, last?.score != null ? last.score.toFixed(2) : "--");
    say(this.beat, last ? `last beat ${last.beat_class ?? `? ${last.reason ?? ""}`}` : "");
    const { words, good } = judgement(live ? state : null);
    say(this.quality, live ? words : "no data");
    flag(this.quality, "good", good && live);
    const age = patient.ageMs(nowMs);
    say(this.age, ageWords(age));
    flag(this.age, "old", age === null || age >= NO_DATA_MS);
    this.overlay(patient, state, nowMs);
  }

  overlay(patient, state, nowMs) {
    let text = "";
    if (!state) {
      text = this.store.clock
        ? `NOT KNOWN — nobody watches ${this.id}. Is its source running?`
        : "WAITING for the dashboard's server";
    } else if (state.discharged) text = "DISCHARGED — nobody watches";
    else if (!patient.live(nowMs) && state.standby) text = "STANDBY";
    else if (!patient.live(nowMs)) {
      const age = patient.ageMs(nowMs);
      text = age === null
        ? "NO DATA — this patient has sent nothing yet"
        : `NO DATA for ${ageWords(age)} — check the source`;
    } else if (state.judged && !state.fit) text = qualityWords(state.reason);
    say(this.words, text);
    show(this.words, text !== "");
  }

  layout() {
    const { trace } = this.patient;
    if (!trace) return;
    const { clientWidth, clientHeight } = this.screen;
    // by name: the same leads change places when others are judged
    const names = trace.leads.map(({ name }) => name);
    const key = JSON.stringify([clientWidth, clientHeight, trace.stream, names]);
    if (key === this.laidOut) return;
    this.laidOut = key;
    this.sweep.resize(clientWidth, clientHeight, [...names.keys()], true);
    this.leadLabels.replaceChildren(
      ...this.sweep.lanes.map((lane, n) => {
        const label = el("div", { class: "lead" },
          el("b", {}, names[n]), ` ${BAND.words} · 10 mm/mV · 25 mm/s`);
        label.style.top = `${lane.top + 4}px`;
        return label;
      }),
    );
  }

  // Every frame: the pen.
  draw(nowMs) {
    const { patient } = this;
    this.layout();
    if (!patient.trace) return;
    const head = patient.playout.step(nowMs);
    if (patient.live(nowMs) && this.element.dataset.state === "ok") this.sweep.draw(patient, head);
    else this.sweep.clear();
  }
}
