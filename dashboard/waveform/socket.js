// The component's own connection: it reconnects alone and knows when it was last heard.

const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 3000;
const EXPIRED = 4401; // the server's close code for a token that is too old

export class Link {
  constructor({ token, onFrame, onMessages, onOpen }) {
    this.token = token;
    this.handlers = { onFrame, onMessages, onOpen };
    this.heardMs = null;
    this.retryMs = FIRST_RETRY_MS;
    this.expired = false;
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
      this.expired = false;
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
      this.expired = code === EXPIRED;
      setTimeout(() => !this.ended && this.connect(), this.retryMs);
      this.retryMs = Math.min(LONGEST_RETRY_MS, this.retryMs * 1.6);
    };
  }

  // A newer token from the page; used at the next connection.
  renew(token) {
    this.token = token;
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
