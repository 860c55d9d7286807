// The monitor band, 0.5 to 40 Hz, for the eye only: what is judged is filtered elsewhere.
// One second-order Butterworth high pass and one low pass, state kept from sample to sample.

export const BAND = { low: 0.5, high: 40, words: "0.5–40 Hz" };

function biquad(kind, cutoff, fs) {
  const w = Math.tan((Math.PI * cutoff) / fs);
  const norm = 1 / (1 + Math.SQRT2 * w + w * w);
  const a1 = 2 * (w * w - 1) * norm;
  const a2 = (1 - Math.SQRT2 * w + w * w) * norm;
  if (kind === "low") return { b0: w * w * norm, b1: 2 * w * w * norm, b2: w * w * norm, a1, a2 };
  return { b0: norm, b1: -2 * norm, b2: norm, a1, a2 };
}

class Section {
  constructor(kind, cutoff, fs) {
    Object.assign(this, biquad(kind, cutoff, fs));
    this.gain = kind === "low" ? 1 : 0;
    this.settle(0);
  }
  // The state after a long constant input: no transient when a trace begins.
  settle(x) {
    const y = this.gain * x;
    this.z2 = this.b2 * x - this.a2 * y;
    this.z1 = this.b1 * x - this.a1 * y + this.z2;
    return y;
  }
  step(x) {
    const y = this.b0 * x + this.z1;
    this.z1 = this.b1 * x - this.a1 * y + this.z2;
    this.z2 = this.b2 * x - this.a2 * y;
    return y;
  }
}

export class MonitorBand {
  constructor(fs) {
    this.high = new Section("high", BAND.low, fs);
    this.low = BAND.high < fs / 2 ? new Section("low", BAND.high, fs) : null;
    this.fresh = true;
  }
  // A missing sample stays missing, and the filter begins anew after it.
  step(x) {
    if (Number.isNaN(x)) {
      this.fresh = true;
      return x;
    }
    if (this.fresh) {
      this.fresh = false;
      const settled = this.high.settle(x);
      return this.low ? this.low.settle(settled) : settled;
    }
    const y = this.high.step(x);
    return this.low ? this.low.step(y) : y;
  }
}
