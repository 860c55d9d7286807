// When to show which sample: samples come in bursts, the pen moves evenly.
//
// The pen follows the newest sample at a distance that covers the burst and the jitter, up to
// 5 % faster or slower than the ECG, and jumps when it has fallen far behind (a hidden tab).

const JITTER_S = 0.13;
const FURTHEST_BEHIND_S = 0.4;
const DRIFT = 0.05;

export class Playout {
  constructor(fs) {
    this.fs = fs;
    this.head = null;
    this.newest = 0;
    this.burstS = 0.1;
    this.lastMs = null;
  }

  arrived(end) {
    if (this.head !== null && end > this.newest) {
      const burst = Math.min((end - this.newest) / this.fs, 1.0);
      this.burstS = Math.max(burst, this.burstS * 0.98);
    }
    this.newest = end;
    if (this.head === null) this.head = Math.max(0, end - this.targetS() * this.fs);
  }

  targetS() {
    return this.burstS + JITTER_S;
  }

  // Advance to nowMs; returns the sample number, with its fraction, where the pen is.
  step(nowMs) {
    if (this.head === null) return null;
    const dt = this.lastMs === null ? 0 : Math.max(0, (nowMs - this.lastMs) / 1000);
    this.lastMs = nowMs;
    const target = this.targetS();
    const behind = (this.newest - this.head) / this.fs;
    if (behind - dt > target + FURTHEST_BEHIND_S) {
      this.head = this.newest - target * this.fs;
    } else {
      const rate = 1 + Math.max(-DRIFT, Math.min(DRIFT, (behind - target) * 0.25));
      this.head = Math.min(this.newest, this.head + dt * this.fs * rate);
    }
    return this.head;
  }
}
