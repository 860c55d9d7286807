// The component: one connection, one memory, one view, one animation loop a mount.

import { Bedside } from "./bedside.js";
import { Central } from "./central.js";
import { el } from "./dom.js";
import { Link } from "./socket.js";
import { Sound } from "./sound.js";
import { Store } from "./store.js";
import { Watch } from "./watch.js";

const TEXT_EVERY_MS = 250;
const mounted = new WeakMap(); // by parent element: Streamlit calls the mount at every rerun
const sound = new Sound(); // one for the page, so that changing views keeps it enabled

// Who is at the screen, kept for when the page has to load itself anew: Streamlit then forgets it.
const UNNAMED = "unnamed";
const AUTHOR = "rhythmwatch-author";
let author = sessionStorage.getItem(AUTHOR) ?? UNNAMED; // before the page was loaded

function keepAuthor({ data, setTriggerValue }) {
  if (data.author === UNNAMED && author !== UNNAMED) setTriggerValue("author", author);
  else sessionStorage.setItem(AUTHOR, data.author);
  author = UNNAMED;
}

class Monitor {
  constructor(parent, { data, setTriggerValue }) {
    const store = (this.store = new Store());
    this.link = new Link({
      token: data.token,
      onOpen: () => {
        store.opened();
        this.view.opened();
      },
      onFrame: (buffer) => store.frame(buffer),
      onMessages: (messages) => {
        store.messages(messages);
        this.update();
      },
    });
    this.author = data.author;
    const shared = { store, link: this.link, sound };
    this.open = setTriggerValue;
    this.view = {
      bedside: () => new Bedside({ ...shared, patient: data.patient }),
      central: () => new Central({ ...shared, open: (id) => this.open("open", id) }),
      watch: () => new Watch(shared),
    }[data.view]();
    this.element = this.view.element;
    const style = el("link", { rel: "stylesheet", href: `${data.assets}/monitor.css` });
    parent.replaceChildren(style, this.element);
    this.onKey = (event) => {
      if (event.repeat) return; // a key that is held, or lain upon, asks once
      const typing = event.composedPath()[0]?.closest?.("input, textarea, [contenteditable]");
      if (!typing && !event.ctrlKey && !event.metaKey && !event.altKey) this.view.key(event);
    };
    document.addEventListener("keydown", this.onKey);
    this.frames = 0;
    this.textMs = -Infinity;
    const loop = (nowMs) => {
      if (this.ended) return;
      this.frames++;
      this.view.draw(nowMs);
      requestAnimationFrame(loop);
    };
    requestAnimationFrame(loop);
    // Text hangs on the server's messages; this timer is for when none come.
    this.timer = setInterval(() => this.update(), TEXT_EVERY_MS);
  }

  update() {
    const nowMs = performance.now();
    this.link.watch(nowMs, this.store.late);
    this.view.update(nowMs);
  }

  end() {
    this.ended = true;
    clearInterval(this.timer);
    document.removeEventListener("keydown", this.onKey);
    this.link.leave();
  }
}

export default function mount(args) {
  const { parentElement, data } = args;
  keepAuthor(args);
  const known = mounted.get(parentElement);
  if (known && !known.ended) {
    known.open = args.setTriggerValue;
    known.link.renew(data.token, known.author !== data.author);
    known.author = data.author;
  } else {
    mounted.set(parentElement, new Monitor(parentElement, args));
  }
  return () => mounted.get(parentElement)?.end();
}
