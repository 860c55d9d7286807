// Central station: a sector for every bed, coloured by its most serious alarm.

import { ageWords, calling, heard, judgement, qualityWords, tagText, worst } from "./alarms.js";
import { el, flag, say, show } from "./dom.js";
import { DownBanner, Head } from "./head.js";
import { Sweep } from "./sweep.js";

const ROWS = { labels: 24, score: 0 };
const MOST_MM = 45; // a sector shows this much height, smaller than on paper if it must
const LARGEST_PX_PER_MM = 3;

function tell(tag, alarm) {
  flag(tag, "priority", alarm?.priority ?? "none");
  say(tag, alarm ? tagText(alarm) : "");
}

class Sector {
  constructor(patient, open) {
    this.patient = patient;
    this.name = el("span", { class: "name" });
    this.label = el("span", { class: "label" });
    this.seen = el("span", { class: "tag seen" });
    this.calling = el("span", { class: "tag calling" });
    this.heartRate = el("span", { class: "number" });
    this.note = el("span", { class: "note" });
    this.words = el("div", { class: "words", hidden: true });
    this.gridCanvas = el("canvas", { class: "paper", "aria-hidden": "true" });
    this.traceCanvas = el("canvas", { class: "pen", role: "img", "aria-label": `ECG of ${patient.id}` });
    this.screen = el("div", { class: "screen" }, this.gridCanvas, this.traceCanvas, this.words);
    this.element = el(
      "a",
      {
        class: "sector", href: `/bedside?patient=${encodeURIComponent(patient.id)}`, "data-patient": patient.id,
        onclick: (event) => {
          if (event.ctrlKey || event.metaKey || event.shiftKey) return; // in a tab or window of its own
          event.preventDefault();
          open(patient.id);
        },
      },
      el("div", { class: "top" }, this.name, this.label,
        el("span", { class: "tags" }, this.seen, this.calling)),
      el("div", { class: "middle" }, this.screen,
        el("div", { class: "side" }, el("small", {}, "HR"), this.heartRate, this.note)),
    );
    this.sweep = new Sweep(this.gridCanvas, this.traceCanvas, { scale: {}, rows: ROWS });
    this.laidOut = "";
  }

  update(nowMs, troubles, paused) {
    const { patient } = this;
    const { state } = patient;
    const live = patient.live(nowMs) && !troubles.length;
    const alarms = state?.alarms ?? [];
    const most = worst(alarms);
    flag(this.element, "priority", most?.priority ?? "none");
    // one that somebody has seen is not hidden by a lesser one that nobody has
    tell(this.seen, most?.acknowledged ? most : null);
    tell(this.calling, calling(alarms));
    flag(this.element, "live", live);
    say(this.name, state?.bed ? `${state.bed} · ${patient.id}` : patient.id);
    say(this.label, state?.label ?? "");
    say(this.heartRate, live && state?.heart_rate != null ? String(Math.round(state.heart_rate)) : "--");
    const { words, good } = judgement(live ? state : null);
    const age = patient.ageMs(nowMs);
    const notes = paused ? ["audio paused"] : [];
    if (live && !good) notes.push(words);
    else if (age !== null) notes.push(`age ${ageWords(age)}`);
    say(this.note, notes.join("\n"));
    let text = "";
    if (troubles.length) text = `SYSTEM DOWN — ${troubles[0].text}`;
    else if (state?.standby) text = "STANDBY";
    else if (!patient.live(nowMs)) text = age === null ? "NO DATA yet" : `NO DATA for ${ageWords(age)}`;
    else if (state?.judged && !state.fit) text = qualityWords(state.reason);
    say(this.words, text);
    show(this.words, text !== "");
  }

  draw(nowMs, down) {
    const { patient } = this;
    if (!patient.trace) return;
    const { clientWidth, clientHeight } = this.screen;
    const key = `${clientWidth}x${clientHeight}x${patient.trace.stream}`;
    if (key !== this.laidOut) {
      this.laidOut = key;
      const fitting = (clientHeight - ROWS.labels) / MOST_MM;
      this.sweep.scale.pxPerMm = Math.min(LARGEST_PX_PER_MM, fitting);
      this.sweep.resize(clientWidth, clientHeight, [0], false);
    }
    const head = patient.playout.step(nowMs);
    if (patient.live(nowMs) && !down) this.sweep.draw(patient, head);
    else this.sweep.clear();
  }
}

export class Central {
  constructor({ store, link, sound, open }) {
    Object.assign(this, { store, link, sound, open });
    this.head = new Head(sound, "Central station");
    this.down = new DownBanner();
    this.grid = el("main", { class: "sectors" });
    this.empty = el(
      "div", { class: "empty" },
      el("strong", {}, "No patients yet"),
      el("p", {}, "A patient appears here with the first waveform. Start a source: "),
      el("p", {}, el("code", {}, "rhythmwatch replay"), " for recordings, ",
        el("code", {}, "rhythmwatch simulate"), " for a simulated patient."),
    );
    this.element = el(
      "div", { class: "monitor central", tabindex: "-1" },
      this.head.element, this.down.element, this.empty, this.grid,
      el("footer", { class: "foot" }, el("p", { class: "notice" },
        "Not a medical device; not for clinical use. Lead at 25 mm/s and 10 mm/mV, reduced; open a bed for calibrated paper.")),
    );
    this.sectors = new Map();
  }

  key() {}

  opened() {}

  update(nowMs) {
    const ids = this.store.order;
    for (const id of [...this.sectors.keys()]) if (!ids.includes(id)) this.sectors.delete(id);
    for (const id of ids) {
      if (!this.sectors.has(id)) this.sectors.set(id, new Sector(this.store.patient(id), this.open));
    }
    const wanted = ids.map((id) => this.sectors.get(id).element);
    if (wanted.length !== this.grid.children.length || wanted.some((e, n) => this.grid.children[n] !== e)) {
      this.grid.replaceChildren(...wanted);
    }
    flag(this.grid, "dense", ids.length > 8);
    flag(this.grid, "most", ids.length > 42);
    const general = this.store.troubles(this.link, null, nowMs);
    for (const id of ids) {
      const paused = this.store.pausedMs(id, nowMs) > 0;
      this.sectors.get(id).update(nowMs, this.store.troubles(this.link, id, nowMs), paused);
    }
    const alarms = this.store.alarms(nowMs);
    flag(this.element, "state", general.length ? "down" : "ok");
    this.head.update(alarms, this.store.serverMs(nowMs), general);
    this.down.update(general);
    this.sound.call(heard(alarms));
    show(this.empty, ids.length === 0 && !general.length);
  }

  draw(nowMs) {
    for (const id of this.store.order) {
      const down = this.store.troubles(this.link, id, nowMs).length > 0;
      this.sectors.get(id)?.draw(nowMs, down);
    }
  }
}
