// The last seconds of one patient's leads in mV, by absolute sample number; NaN where missing.

import { MonitorBand } from "./filter.js";
import { MISSING } from "./frame.js";

export const KEEP_S = 14;

export class Trace {
  constructor(stream) {
    this.stream = stream.stream;
    this.fs = stream.fs;
    this.leads = stream.leads;
    this.size = Math.ceil(KEEP_S * stream.fs);
    this.rings = stream.leads.map(() => new Float32Array(this.size).fill(NaN));
    this.bands = stream.leads.map(() => new MonitorBand(stream.fs));
    this.first = null; // the oldest sample kept
    this.end = 0; // one past the newest
  }

  // Take a block of a frame; what is known already is cut, a gap becomes NaN.
  push(block) {
    const last = block.first + block.count;
    if (this.first === null) this.first = this.end = block.first;
    if (last <= this.end) return false;
    if (block.first > this.end) {
      const gap = Math.min(block.first - this.end, this.size);
      for (let lead = 0; lead < this.rings.length; lead++) {
        for (let n = block.first - gap; n < block.first; n++) this.put(lead, n, NaN);
      }
      this.end = block.first;
    }
    const skip = this.end - block.first;
    for (let lead = 0; lead < this.rings.length; lead++) {
      const { gain, baseline } = this.leads[lead];
      const row = lead * block.count;
      for (let i = skip; i < block.count; i++) {
        const adc = block.values[row + i];
        this.put(lead, block.first + i, adc === MISSING ? NaN : (adc - baseline) / gain);
      }
    }
    this.end = last;
    this.first = Math.max(this.first, this.end - this.size);
    return true;
  }

  put(lead, sample, millivolts) {
    this.rings[lead][sample % this.size] = this.bands[lead].step(millivolts);
  }

  at(lead, sample) {
    if (sample < this.first || sample >= this.end) return NaN;
    return this.rings[lead][sample % this.size];
  }
}
