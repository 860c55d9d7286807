// ECG paper on the screen: 1-mm and 5-mm squares, calibrated in CSS pixels.

export const PX_PER_MM = 96 / 25.4; // what CSS calls a millimetre

export function fitCanvas(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  const changed = canvas.width !== w || canvas.height !== h;
  if (changed) {
    canvas.width = w;
    canvas.height = h;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return { context, changed };
}

// Lines through `origin` (px from the top), so that 0 mV lies on a thick one.
export function drawGrid(context, { width, top, height, origin, pxPerMm }) {
  for (const [step, colour] of [[1, "#06180e"], [5, "#0d3320"]]) {
    const gap = step * pxPerMm;
    if (gap < 3) continue;
    context.beginPath();
    for (let x = 0; x <= width; x += gap) {
      const at = Math.round(x) + 0.5;
      context.moveTo(at, top);
      context.lineTo(at, top + height);
    }
    const above = Math.floor((origin - top) / gap) * gap;
    for (let y = origin - above; y <= top + height; y += gap) {
      const at = Math.round(y) + 0.5;
      context.moveTo(0, at);
      context.lineTo(width, at);
    }
    context.strokeStyle = colour;
    context.lineWidth = 1;
    context.stroke();
  }
}

// The calibration pulse: 1 mV high, 0.2 s wide, as on paper.
export function drawCalibration(context, { x, origin, pxPerMv, pxPerS }) {
  const [w, h] = [0.2 * pxPerS, pxPerMv];
  context.beginPath();
  context.moveTo(x, origin);
  context.lineTo(x + w * 0.2, origin);
  context.lineTo(x + w * 0.2, origin - h);
  context.lineTo(x + w * 0.8, origin - h);
  context.lineTo(x + w * 0.8, origin);
  context.lineTo(x + w, origin);
  context.strokeStyle = "#9aa7a0";
  context.lineWidth = 1.5;
  context.stroke();
  context.fillStyle = "#9aa7a0";
  context.font = "11px system-ui, sans-serif";
  context.textAlign = "left";
  context.textBaseline = "bottom";
  context.fillText("1 mV", x + w + 4, origin - h / 2 + 6);
}
