// What the server has said, kept for the page that draws it.

import { decodeFrame } from "./frame.js";
import { Lag } from "./lag.js";
import { Playout } from "./playout.js";
import { Trace, KEEP_S } from "./trace.js";

export const NO_DATA_MS = 2000;
export const SILENT_MS = 3000;
const LATE_MS = 2000; // what comes later than this is no longer the present

class Patient {
  constructor(id) {
    this.id = id;
    this.state = null;
    this.restart(null);
  }

  forget() {
    this.state = null;
    this.restart(null);
  }

  restart(stream) {
    this.trace = stream && new Trace(stream);
    this.playout = stream && new Playout(stream.fs);
    this.beats = [];
    this.hidden = []; // per lead name: stretches in which the lead was off
    this.age = null; // {ms, atMs}: how old the newest sample was when it came
    this.version = (this.version ?? 0) + 1; // whoever draws begins anew when this grows
  }

  ageMs(nowMs) {
    return this.age && this.age.ms + (nowMs - this.age.atMs);
  }

  live(nowMs) {
    return this.age !== null && this.ageMs(nowMs) < NO_DATA_MS;
  }

  take(block, lagMs, nowMs) {
    if (!this.trace || block.leads !== this.trace.leads.length) return;
    if (this.trace.push(block)) this.playout.arrived(this.trace.end);
    this.age = { ms: block.ageMs + lagMs, atMs: nowMs };
  }

  takeBeats(beats) {
    this.beats.push(...beats);
    const oldest = this.trace ? this.trace.end - KEEP_S * this.trace.fs : 0;
    while (this.beats.length && this.beats[0].sample < oldest) this.beats.shift();
  }

  // A lead that is off is a gap, never a flat line: remember from where to where.
  takeQuality({ sample, leads }) {
    if (!this.trace) return;
    for (const { lead, reason } of leads) {
      const open = this.hidden.find((h) => h.lead === lead && h.to === Infinity);
      const off = reason === "lead_off" || reason === "missing";
      if (off && !open) {
        this.hidden.push({ lead, from: sample - this.trace.fs, to: Infinity });
        this.version++;
      } else if (!off && open) {
        open.to = sample;
        this.version++;
      }
    }
    const oldest = this.trace.first ?? 0;
    this.hidden = this.hidden.filter((h) => h.to > oldest);
  }
}

export class Store {
  constructor() {
    this.patients = new Map();
    this.slots = new Map();
    this.order = [];
    this.down = []; // parts that are down for everybody
    this.clock = null; // {serverMs, atMs}
    this.lag = new Lag();
    this.replies = [];
  }

  patient(id) {
    if (!this.patients.has(id)) this.patients.set(id, new Patient(id));
    return this.patients.get(id);
  }

  // A new connection: the server begins with everything anew.
  opened() {
    this.slots.clear();
    this.lag.begin();
  }

  frame(buffer) {
    const nowMs = performance.now();
    const { sentS, blocks } = decodeFrame(buffer);
    this.lag.heard(sentS, nowMs);
    for (const block of blocks) this.slots.get(block.slot)?.take(block, this.lag.ms, nowMs);
  }

  messages(messages) {
    const nowMs = performance.now();
    for (const message of messages) {
      if (message.sent_s !== undefined) this.lag.heard(message.sent_s, nowMs);
      if (message.type === "state") {
        this.clock = { serverMs: message.server_ms + this.lag.ms, atMs: nowMs };
        this.down = message.down;
        if (message.order) this.order = message.order;
        for (const state of message.patients) this.patient(state.patient).state = state;
        this.part(message);
      } else if (message.type === "stream") {
        const patient = this.patient(message.patient);
        patient.restart(message);
        this.slots.set(message.slot, patient);
      } else if (message.type === "beats") this.patient(message.patient).takeBeats(message.beats);
      else if (message.type === "quality") {
        for (const status of message.statuses) this.patient(message.patient).takeQuality(status);
      } else if (message.type === "reply") this.replies.push(message);
    }
  }

  serverMs(nowMs) {
    return this.clock && this.clock.serverMs + (nowMs - this.clock.atMs);
  }

  // For how long the sound of a patient's alarms stays paused.
  pausedMs(id, nowMs) {
    const { state } = this.patient(id);
    return Math.max(0, (state?.silenced_until_ms ?? 0) - (this.serverMs(nowMs) ?? 0));
  }

  // Everybody's alarms, each with the name of its bed and whether its sound is paused.
  alarms(nowMs) {
    return this.order.flatMap((id) => {
      const { state } = this.patient(id);
      const silenced = this.pausedMs(id, nowMs) > 0;
      return (state?.alarms ?? []).map((alarm) => ({ ...alarm, bed: state.bed || id, silenced }));
    });
  }

  // Nothing stays of whoever has left this screen, or is no longer known anywhere.
  part({ known, patients }) {
    const here = new Set([...known, ...patients.map(({ patient }) => patient)]);
    for (const [id, patient] of [...this.patients]) {
      if (!this.order.includes(id)) this.patients.delete(id);
      else if (!here.has(id) && patient.state && !patient.state.discharged) patient.forget();
    }
    for (const [slot, { id }] of [...this.slots]) if (!this.patients.has(id)) this.slots.delete(slot);
  }

  get late() {
    return this.lag.ms > LATE_MS;
  }

  // What is down for this patient, in the page's eyes: the socket first, then what the server said.
  troubles(link, id, nowMs) {
    const silent = link.silentMs(nowMs);
    if (silent > SILENT_MS) {
      return [
        {
          part: "connection",
          text: `nothing heard from the dashboard's server for ${Math.round(silent / 1000)} s`,
          step: "The page reconnects by itself. Check the network and `rhythmwatch dashboard`.",
        },
      ];
    }
    if (this.late || link.slow) {
      return [
        {
          part: "connection",
          text: this.late
            ? `what arrives is ${Math.round(this.lag.ms / 1000)} s old`
            : "what arrived until a moment ago was old",
          step: "The page connects anew by itself, without what waits on the way. The network is too slow.",
        },
      ];
    }
    if (this.down.length) return this.down;
    return this.patients.get(id)?.state?.down ?? [];
  }
}
