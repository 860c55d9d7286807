// The component's own connection: it reconnects alone and knows when it was last heard.

const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 3000;
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
    this.heardMs = null;
    this.retryMs = FIRST_RETRY_MS;
    this.ended = false;
    this.connect();
  }

  connect() {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const url = `${scheme}//${location.host}/ecg/ws?token=${encodeURIComponent(this.token)}`;
    const socket = (this.socket = new WebSocket(url));
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.retryMs = FIRST_RETRY_MS;
      this.handlers.onOpen();
    };
    socket.onmessage = ({ data }) => {
      this.heardMs = performance.now();
      if (typeof data !== "string") return this.handlers.onFrame(data);
      const messages = JSON.parse(data);
      for (const message of messages) if (message.type === "token") this.token = message.token;
      return this.handlers.onMessages(messages);
    };
    socket.onclose = ({ code }) => {
      if (this.ended) return;
      if (code === EXPIRED) reloadPage();
      setTimeout(() => !this.ended && this.connect(), this.retryMs);
      this.retryMs = Math.min(LONGEST_RETRY_MS, this.retryMs * 1.6);
    };
  }

  // A newer token from the page, used at the next connection: at once if it names another author.
  renew(token, now) {
    this.token = token;
    if (now) this.socket.close();
  }

  send(message) {
    if (this.socket.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  silentMs(nowMs) {
    return this.heardMs === null ? null : nowMs - this.heardMs;
  }

  close() {
    this.ended = true;
    this.socket.close();
  }
}
