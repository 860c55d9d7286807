// One patient's alarms, a row for each, and the acknowledgements that are under way.

import { byUrgency, calling, stateWords, STARS } from "./alarms.js";
import { el, flag, say, show, timeWords } from "./dom.js";

const ANSWER_MS = 10_000;
const NO_ANSWER = "Not acknowledged: no answer. Try again.";

class Row {
  constructor(id, acknowledge) {
    this.stars = el("span", { class: "stars" });
    this.text = el("span", { class: "text" });
    this.since = el("span", { class: "since" });
    this.button = el("button", { class: "ack", "data-alarm": id, onclick: acknowledge });
    this.element = el("li", {}, this.stars, this.text, this.since, this.button);
  }

  update(alarm, asked) {
    flag(this.element, "priority", alarm.priority);
    say(this.stars, STARS[alarm.priority]);
    say(this.text, alarm.text);
    say(this.since, `since ${timeWords(alarm.onset_ms)} · ${stateWords(alarm)}`);
    say(this.button, alarm.acknowledged ? "✓ acknowledged" : asked ? "sending…" : "Acknowledge");
    this.button.disabled = alarm.acknowledged || asked;
  }
}

export class AlarmList {
  // `ask` sends the acknowledgement of an alarm, by its id, and returns whether it could.
  constructor(ask) {
    this.ask = ask;
    this.alarms = [];
    this.rows = new Map(); // by alarm id: a row may be under a finger, or have the focus
    this.asked = new Map(); // by alarm id: when its acknowledgement was sent
    this.about = null; // the alarm that the reply is about
    this.list = el("ul", { class: "list" });
    this.none = el("p", { class: "none" }, "No alarms.");
    this.reply = el("p", { class: "reply", role: "status" });
    this.element = el("div", { class: "alarms" }, el("h2", {}, "Alarms"), this.list, this.none, this.reply);
  }

  acknowledge(id) {
    if (this.ask(id)) {
      this.asked.set(id, performance.now());
      this.tell(id, "");
    } else this.tell(id, "Not acknowledged: no connection.");
  }

  acknowledgeFirst() {
    const first = calling(this.alarms.filter(({ alarm_id }) => !this.asked.has(alarm_id)));
    if (first) this.acknowledge(first.alarm_id);
  }

  failed(id, words) {
    this.asked.delete(id);
    this.tell(id, words);
  }

  // What was sent over a connection that is gone may have got lost with it.
  unanswered() {
    for (const id of [...this.asked.keys()]) this.failed(id, NO_ANSWER);
  }

  tell(id, words) {
    this.about = id;
    say(this.reply, words);
  }

  update(alarms, nowMs, watched) {
    this.alarms = alarms;
    const open = new Set(alarms.filter((a) => !a.acknowledged).map((a) => a.alarm_id));
    for (const [id, atMs] of [...this.asked]) {
      if (!open.has(id)) this.asked.delete(id);
      else if (nowMs - atMs > ANSWER_MS) this.failed(id, NO_ANSWER);
    }
    if (this.about !== null && !open.has(this.about)) this.tell(null, "");
    const present = new Set(alarms.map((a) => a.alarm_id));
    for (const [id, row] of [...this.rows]) {
      if (present.has(id)) continue;
      row.element.remove();
      this.rows.delete(id);
    }
    this.arrange(byUrgency(alarms).map((alarm) => this.row(alarm).element));
    show(this.none, watched && alarms.length === 0);
  }

  row(alarm) {
    const id = alarm.alarm_id;
    if (!this.rows.has(id)) {
      const row = new Row(id, () => this.acknowledge(id));
      this.rows.set(id, row);
      this.list.append(row.element);
    }
    const row = this.rows.get(id);
    row.update(alarm, this.asked.has(id));
    return row;
  }

  // Put rows in order around the one in use: what is moved loses the focus and the click.
  arrange(rows) {
    const { activeElement } = this.list.getRootNode();
    const still = Math.max(0, rows.findIndex((row) => row.contains(activeElement)));
    for (let n = still - 1; n >= 0; n--) {
      if (rows[n].nextSibling !== rows[n + 1]) rows[n + 1].before(rows[n]);
    }
    for (let n = still + 1; n < rows.length; n++) {
      if (rows[n].previousSibling !== rows[n - 1]) rows[n - 1].after(rows[n]);
    }
  }
}
