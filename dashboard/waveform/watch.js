// Over a page without traces: everybody's most serious alarm, its sound, and SYSTEM DOWN.

import { heard } from "./alarms.js";
import { el } from "./dom.js";
import { DownBanner, Head } from "./head.js";

export class Watch {
  constructor({ store, link, sound }) {
    Object.assign(this, { store, link, sound });
    this.head = new Head(sound, "All beds");
    this.down = new DownBanner();
    this.element = el(
      "div", { class: "monitor watch", tabindex: "-1" }, this.head.element, this.down.element,
    );
  }

  key() {}

  opened() {}

  update(nowMs) {
    const troubles = this.store.troubles(this.link, null, nowMs);
    const alarms = this.store.alarms(nowMs);
    this.head.update(alarms, this.store.serverMs(nowMs), troubles);
    this.down.update(troubles);
    this.sound.call(heard(alarms));
  }

  draw() {}
}
