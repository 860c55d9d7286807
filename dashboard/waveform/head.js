// The line above every view: alarm, sound, connection, clock, and that this is no medical device.

import { calling, tagText } from "./alarms.js";
import { clockWords, el, flag, say, show } from "./dom.js";

export class Head {
  constructor(sound, title) {
    this.sound = sound;
    this.name = el("span", { class: "name" }, title);
    this.facts = el("span", { class: "facts" });
    this.label = el("span", { class: "label" });
    this.title = el("div", { class: "title" }, this.name, this.facts, this.label);
    this.bed = el("span", { class: "bed" });
    this.words = el("span", { class: "what" });
    this.alarm = el("div", { class: "tag", role: "alert", "aria-atomic": "true" }, this.bed, this.words);
    this.more = el("span", { class: "more" });
    this.soundOff = el("span", { class: "sound-off" }, "SOUND OFF");
    this.enable = el(
      "button",
      { class: "enable", onclick: () => this.sound.enable().then(() => this.quiet()) },
      "Enable alarm sound",
    );
    this.clock = el("time", { class: "clock" });
    this.element = el(
      "header",
      { class: "head" },
      this.title,
      el("div", { class: "called" }, this.alarm, this.more),
      el("div", { class: "right" }, this.soundOff, this.enable, this.clock),
    );
  }

  quiet() {
    show(this.soundOff, !this.sound.on);
    show(this.enable, !this.sound.on);
  }

  // `alarms`: of everybody on this screen, each with the name of the bed where there are several.
  update(alarms, serverMs, troubles) {
    const alarm = calling(alarms);
    flag(this.alarm, "priority", alarm ? alarm.priority : "none");
    say(this.bed, alarm?.bed ? `${alarm.bed}  ` : "");
    say(this.words, alarm ? tagText(alarm) : "");
    // others may stand where nobody sees them, below the edge of a small screen
    const others = alarms.filter(({ acknowledged }) => !acknowledged).length - 1;
    say(this.more, others > 0 ? `and ${others} more` : "");
    say(this.clock, clockWords(serverMs));
    flag(this.clock, "stale", troubles.length > 0);
    this.quiet();
  }
}

// SYSTEM DOWN: over everything, with what is the matter and the next step.
export class DownBanner {
  constructor() {
    this.text = el("p", { class: "what" });
    this.step = el("p", { class: "step" });
    this.element = el(
      "div",
      { class: "down", role: "alert", hidden: true },
      el("strong", {}, "SYSTEM DOWN"),
      this.text,
      this.step,
    );
  }

  update(troubles) {
    show(this.element, troubles.length > 0);
    say(this.text, troubles.map(({ part, text }) => `${part}: ${text}`).join("; "));
    say(this.step, troubles.map(({ step }) => step).join(" "));
  }
}
