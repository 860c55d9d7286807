// How late messages come: for how long they lay in the sockets between the server and here.
//
// The server writes into them when it sent them, by its own clock. The fastest of a connection
// is taken for one that came at once; what another took longer is its lag.

const DRIFT = 1e-4; // by which two clocks may run apart: not every slow clock is a slow link

export class Lag {
  constructor() {
    this.begin();
  }

  // A new connection: another server's clock may be another.
  begin() {
    this.fastest = Infinity;
    this.atMs = 0;
    this.ms = 0;
  }

  heard(sentS, nowMs) {
    const took = nowMs - 1000 * sentS;
    this.fastest = Math.min(took, this.fastest + DRIFT * (nowMs - this.atMs));
    this.atMs = nowMs;
    this.ms = took - this.fastest;
  }
}
