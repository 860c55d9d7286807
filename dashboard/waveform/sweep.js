// A fixed trace with a moving erase bar, drawn a few pixels a frame.

import { drawCalibration, drawGrid, fitCanvas, PX_PER_MM } from "./grid.js";

const ERASE_PX = 26;
const COLOURS = { N: "#1f9d55", S: "#ffb020", V: "#ff4d4d", F: "#ff7bd5", Q: "#9aa7a0" };
const UNJUDGED = "#7c8a83";
export const TRACE_COLOUR = "#35ff7a";

export function beatColour(beatClass) {
  return COLOURS[beatClass] ?? UNJUDGED;
}

export class Sweep {
  // `scale`: pxPerMm, mmPerS, mmPerMv; `rows`: {labels, score} in px, 0 for none.
  constructor(gridCanvas, traceCanvas, { scale, rows }) {
    this.gridCanvas = gridCanvas;
    this.traceCanvas = traceCanvas;
    this.scale = { pxPerMm: PX_PER_MM, mmPerS: 25, mmPerMv: 10, ...scale };
    this.rows = rows;
    this.seen = null; // the patient's version that is on the canvas
    this.from = 0; // nothing before this sample is shown
    this.blank = true;
    this.marked = 0;
  }

  get pxPerS() {
    return this.scale.mmPerS * this.scale.pxPerMm;
  }

  get pxPerMv() {
    return this.scale.mmPerMv * this.scale.pxPerMm;
  }

  resize(width, height, leads, calibration) {
    if (width < 50 || height < 50) return;
    Object.assign(this, { width, height, leads });
    const { labels, score } = this.rows;
    const each = (height - labels - score) / leads.length;
    this.lanes = leads.map((lead, n) => ({
      lead,
      top: labels + n * each,
      height: each,
      origin: Math.round(labels + n * each + each * 0.58),
    }));
    const { context } = fitCanvas(this.gridCanvas, width, height);
    context.clearRect(0, 0, width, height);
    if (calibration) {
      for (const lane of this.lanes) {
        drawGrid(context, { width, ...lane, pxPerMm: this.scale.pxPerMm });
        drawCalibration(context, {
          x: 8, origin: lane.origin, pxPerMv: this.pxPerMv, pxPerS: this.pxPerS,
        });
      }
    }
    if (score) this.scoreScale(context);
    this.pen = fitCanvas(this.traceCanvas, width, height).context;
    this.seen = null;
  }

  scoreScale(context) {
    const { top, height } = this.scoreBox();
    context.strokeStyle = "#1c2a23";
    context.beginPath();
    for (const level of [0, 0.5, 1]) {
      const y = Math.round(top + height * (1 - level)) + 0.5;
      context.moveTo(0, y);
      context.lineTo(this.width, y);
    }
    context.stroke();
  }

  scoreBox() {
    return { top: this.height - this.rows.score + 14, height: this.rows.score - 20 };
  }

  x(sample) {
    const px = (sample / this.patient.trace.fs) * this.pxPerS;
    return px % this.width;
  }

  // No samples: nothing old may stay on the screen.
  clear() {
    if (this.blank || !this.pen) return;
    this.pen.clearRect(0, 0, this.width, this.height);
    this.blank = true;
    this.from = this.patient?.trace?.end ?? 0;
    this.drawn = null;
  }

  draw(patient, head) {
    if (!this.pen || head === null) return;
    if (patient !== this.patient || patient.version !== this.seen) this.restart(patient, head);
    const end = Math.floor(head);
    const page = Math.floor((this.width - ERASE_PX) / this.pxPerS * patient.trace.fs);
    const first = Math.max(this.drawn ?? 0, end - page, patient.trace.first, this.from);
    if (end <= first) return;
    this.blank = false;
    this.erase(first, end);
    for (let n = 0; n < this.lanes.length; n++) this.line(n, first, end);
    this.drawn = end;
    this.marks(end, end - page);
  }

  restart(patient, head) {
    if (patient !== this.patient || this.stream !== patient.trace.stream) this.from = 0;
    this.patient = patient;
    this.stream = patient.trace.stream;
    this.seen = patient.version;
    this.drawn = null;
    this.marked = -1;
    this.pen.clearRect(0, 0, this.width, this.height);
  }

  // Clear the columns from the last pen position to the new one, with the bar ahead of it.
  erase(first, end) {
    const length = Math.min(this.width, ((end - first) / this.patient.trace.fs) * this.pxPerS);
    const from = this.x(first) + (this.drawn === null ? 0 : ERASE_PX - 2);
    this.clearColumns(from, length + 2 + (this.drawn === null ? ERASE_PX : 0));
  }

  clearColumns(from, length) {
    const start = from % this.width;
    this.pen.clearRect(start, 0, length, this.height);
    if (start + length > this.width) this.pen.clearRect(0, 0, start + length - this.width, this.height);
  }

  line(n, first, end) {
    const { trace, hidden } = this.patient;
    const lane = this.lanes[n];
    const off = hidden.filter((h) => h.lead === trace.leads[lane.lead].name);
    const pen = this.pen;
    pen.beginPath();
    let down = false;
    let before = -1;
    for (let sample = Math.max(first - 1, this.from); sample < end; sample++) {
      const mv = trace.at(lane.lead, sample);
      if (Number.isNaN(mv) || off.some((h) => sample >= h.from && sample < h.to)) {
        down = false;
        continue;
      }
      const x = this.x(sample);
      const y = Math.min(lane.top + lane.height - 1, Math.max(lane.top + 1, lane.origin - mv * this.pxPerMv));
      if (!down || x < before) pen.moveTo(x, y);
      else pen.lineTo(x, y);
      down = true;
      before = x;
    }
    pen.strokeStyle = TRACE_COLOUR;
    pen.lineWidth = this.scale.pxPerMm > 3 ? 1.8 : 1.4;
    pen.lineJoin = "round";
    pen.stroke();
  }

  // Each beat's letter over its R peak and its score as a bar under the traces.
  marks(end, oldest) {
    for (const beat of this.patient.beats) {
      if (beat.sample <= this.marked || beat.sample >= end) continue;
      this.marked = beat.sample;
      if (beat.sample < Math.max(oldest, this.from)) continue;
      const x = this.x(beat.sample);
      const colour = beatColour(beat.beat_class);
      const pen = this.pen;
      if (this.rows.labels) {
        pen.fillStyle = colour;
        const size = Math.min(18, this.rows.labels - 9);
        pen.font = beat.beat_class === "N" ? `${size - 4}px system-ui` : `bold ${size}px system-ui`;
        pen.textAlign = "center";
        pen.textBaseline = "middle";
        pen.fillText(beat.beat_class ?? "?", x, this.rows.labels / 2 - 2);
        pen.fillRect(x - 0.5, this.rows.labels - 7, 1.5, 6);
      }
      if (this.rows.score) this.scoreBar(x, beat.score, colour);
    }
  }

  scoreBar(x, score, colour) {
    const { top, height } = this.scoreBox();
    this.pen.fillStyle = colour;
    if (score === null) this.pen.fillRect(x - 3, top + height - 1, 6, 1);
    else {
      const h = Math.max(2, score * height);
      this.pen.fillRect(x - 2.5, top + height - h, 5, h);
    }
  }
}
