// Bedside: one patient, all leads on calibrated paper, large numbers, the alarm list.

import { ageWords, byUrgency, calling, judgement, qualityWords, stateWords, STARS } from "./alarms.js";
import { clockWords, el, flag, say, show } from "./dom.js";
import { BAND } from "./filter.js";
import { DownBanner, Head } from "./head.js";
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
    this.list = el("ul", { class: "list" });
    this.none = el("p", { class: "none" }, "No alarms.");
    this.reply = el("p", { class: "reply", role: "status" });
    this.pause = el("button", { class: "pause", onclick: () => this.silence() }, "Audio pause 2 min");
    this.foot = el(
      "footer", { class: "foot" },
      el("div", { class: "alarms" }, el("h2", {}, "Alarms"), this.list, this.none, this.reply),
      el("div", { class: "keys" }, this.pause,
        el("p", {}, el("kbd", {}, "A"), " acknowledge the first alarm  ", el("kbd", {}, "P"), " audio pause"),
        el("p", { class: "notice" }, "Not a medical device; not for clinical use.")),
    );
    this.element = el(
      "div", { class: "monitor bedside", tabindex: "-1" },
      this.head.element, this.down.element, this.screen, this.numbers, this.foot,
    );
    this.sweep = new Sweep(this.gridCanvas, this.traceCanvas, { scale: {}, rows: ROWS });
    this.waiting = new Map(); // alarm ids whose acknowledgement is under way
    this.laidOut = "";
    this.items = "";
  }

  get patient() {
    return this.store.patient(this.id);
  }

  key(event) {
    if (event.key === "a" || event.key === "A") {
      const first = calling(this.patient.state?.alarms ?? []);
      if (first) this.acknowledge(first.alarm_id);
    } else if (event.key === "p" || event.key === "P") this.silence();
  }

  acknowledge(alarmId) {
    const sent = this.link.send({ type: "acknowledge", patient: this.id, alarm_id: alarmId });
    if (sent) this.waiting.set(alarmId, performance.now());
    say(this.reply, sent ? "" : "Not acknowledged: no connection.");
    this.items = "";
  }

  silence() {
    const sent = this.link.send({ type: "silence", patient: this.id, seconds: SILENCE_S });
    if (!sent) say(this.reply, "No audio pause: no connection.");
  }

  // A few times a second: everything that is text.
  update(nowMs) {
    const patient = this.patient;
    const { state } = patient;
    const troubles = this.store.troubles(this.link, this.id, nowMs);
    const alarms = state?.alarms ?? [];
    const serverMs = this.store.serverMs(nowMs);
    flag(this.element, "state", troubles.length ? "down" : "ok");
    const pausedMs = (state?.silenced_until_ms ?? 0) - (serverMs ?? 0);
    const paused = pausedMs > 0;
    this.head.update(alarms, serverMs, troubles);
    this.title(state);
    this.down.update(troubles);
    // also while something is down: whoever has not answered an alarm still has to
    if (!paused) this.sound.call(calling(alarms)?.priority);
    say(this.pause, paused ? `Audio paused ${Math.ceil(pausedMs / 1000)} s` : "Audio pause 2 min");
    flag(this.pause, "on", paused);
    for (const reply of this.store.replies.splice(0)) {
      if (!reply.ok) {
        this.waiting.delete(reply.alarm_id);
        this.items = "";
        say(this.reply, `Not done: ${reply.text}`);
      }
    }
    this.readings(patient, state, nowMs, troubles.length > 0);
    this.alarmList(alarms);
  }

  title(state) {
    const parts = state?.bed ? [state.bed, this.id] : [this.id];
    if (state?.unit) parts.push(state.unit);
    parts.push(state?.adult === false ? "CHILD" : "ADULT");
    if (state?.paced) parts.push("PACED");
    if (state?.standby) parts.push("STANDBY");
    say(this.head.name, parts.join(" · "));
    say(this.head.label, state?.label ?? "");
  }

  readings(patient, state, nowMs, down) {
    const live = patient.live(nowMs) && !down;
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
    if (!patient.live(nowMs)) {
      const age = patient.ageMs(nowMs);
      text = age === null
        ? this.store.order.includes(this.id) && patient.state
          ? "NO DATA — this patient has sent nothing yet"
          : `WAITING for ${this.id} — is its source running?`
        : `NO DATA for ${ageWords(age)} — check the source`;
    } else if (state?.judged && !state.fit) text = qualityWords(state.reason);
    say(this.words, text);
    show(this.words, text !== "");
  }

  alarmList(alarms) {
    const nowMs = performance.now();
    const key = JSON.stringify(alarms) + [...this.waiting.keys()].join();
    if (key === this.items) return;
    this.items = key;
    this.list.replaceChildren(
      ...byUrgency(alarms).map((alarm) => {
        if (alarm.acknowledged) this.waiting.delete(alarm.alarm_id);
        const asked = this.waiting.has(alarm.alarm_id) && nowMs - this.waiting.get(alarm.alarm_id) < 10_000;
        const button = el("button", {
          class: "ack", disabled: alarm.acknowledged || asked,
          "data-alarm": alarm.alarm_id,
          onclick: () => this.acknowledge(alarm.alarm_id),
        }, alarm.acknowledged ? "✓ acknowledged" : asked ? "sending…" : "Acknowledge");
        return el(
          "li", { "data-priority": alarm.priority, "data-calling": !alarm.acknowledged && "yes" },
          el("span", { class: "stars" }, STARS[alarm.priority]),
          el("span", { class: "text" }, alarm.text),
          el("span", { class: "since" }, `since ${clockWords(alarm.onset_ms)} · ${stateWords(alarm)}`),
          button,
        );
      }),
    );
    show(this.none, alarms.length === 0);
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
    if (patient.live(nowMs) && this.element.dataset.state !== "down") this.sweep.draw(patient, head);
    else this.sweep.clear();
  }
}
