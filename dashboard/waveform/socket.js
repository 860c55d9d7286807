// The component's own connection: it reconnects alone and knows when it was last heard.

const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 3000;
const HUNG_MS = 6000; // silent for so long, it is lost on the way, though nobody has closed it
const PATIENCE_MS = 1000; // a busy page is late for a moment, a slow link stays so
const STEADY_MS = 10_000;
const RELOAD_EVERY_MS = 10_000;
const EXPIRED = 4401; // the server's close code for a token that is too old

// Only the page gives new tokens, after an outage of more than a minute or another server's start.
function reloadPage() {
  const last = Number(sessionStorage.getItem("rhythmwatch-reload") ?? 0);
  if (Date.now() - last < RELOAD_EVERY_MS) return;
  sessionStorage.setItem("rhythmwatch-reload", String(Date.now()));
  location.reload();
}

export class Link {
  constructor({ token, onFrame, onMessages, onOpen }) {
    this.token = token;
    this.handlers = { onFrame, onMessages, onOpen };
    this.heardMs = performance.now();
    this.left = 0; // connections in a row that were left because what came was old
    this.past = true; // whether the next connection begins with the last seconds
    this.retryMs = FIRST_RETRY_MS;
    this.connect();
  }

  connect() {
    this.retry = null;
    this.triedMs = performance.now();
    this.onTimeMs = this.triedMs;
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const past = this.past ? "" : "&past=no";
    const url = `${scheme}//${location.host}/ecg/ws?token=${encodeURIComponent(this.token)}${past}`;
    const socket = (this.socket = new WebSocket(url));
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.handlers.onOpen();
    socket.onmessage = ({ data }) => {
      this.heardMs = performance.now();
      if (typeof data !== "string") return this.handlers.onFrame(data);
      const messages = JSON.parse(data);
      for (const message of messages) if (message.type === "token") this.token = message.token;
      return this.handlers.onMessages(messages);
    };
    socket.onclose = ({ code }) => {
      if (code === EXPIRED) reloadPage();
      this.again();
    };
  }

  again() {
    this.retry = setTimeout(() => this.connect(), this.retryMs);
    this.retryMs = Math.min(LONGEST_RETRY_MS, this.retryMs * 1.6);
  }

  // Leave a connection without waiting for its end: one that hangs would never be closed.
  leave() {
    clearTimeout(this.retry);
    this.socket.onopen = this.socket.onmessage = this.socket.onclose = null;
    this.socket.close();
  }

  // A few times a second: go on to a new connection where nothing comes, or only what is old.
  watch(nowMs, late) {
    if (this.retry !== null) return;
    if (!late || this.socket.readyState !== WebSocket.OPEN) this.onTimeMs = nowMs;
    const hung = nowMs - Math.max(this.heardMs, this.triedMs) > HUNG_MS;
    if (hung || nowMs - this.onTimeMs > PATIENCE_MS) {
      this.past = false;
      this.left = hung ? 0 : this.left + 1;
      this.leave();
      this.again();
    } else if (nowMs - this.triedMs > STEADY_MS) {
      this.past = true;
      this.left = 0;
      this.retryMs = FIRST_RETRY_MS;
    }
  }

  // A newer token from the page, used at the next connection: at once if it names another author.
  renew(token, now) {
    this.token = token;
    if (!now) return;
    this.leave();
    this.again();
  }

  send(message) {
    if (this.socket.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  // One connection may have a bad moment; after two in a row the next is not better for being new.
  get slow() {
    return this.left > 1;
  }

  silentMs(nowMs) {
    return nowMs - this.heardMs;
  }
}
