// Binary waveform frames: what dashboard/feed.py writes, read without a copy more than needed.
//
//   frame:  uint8 kind = 1 | uint8 0 | uint16 number of blocks | float64 sent, s of the server's clock
//   block:  uint16 slot | uint16 leads | uint32 samples | float64 first sample | float64 age, ms
//           then int16 values, lead after lead
// All little-endian. The int16 minimum says that there is no sample.

export const MISSING = -32768;
const HEADER = 12;
const BLOCK = 24;

export function decodeFrame(buffer) {
  const view = new DataView(buffer);
  if (view.getUint8(0) !== 1) throw new Error(`frame kind ${view.getUint8(0)}, expected 1`);
  const blocks = [];
  let at = HEADER;
  for (let left = view.getUint16(2, true); left > 0; left--) {
    const leads = view.getUint16(at + 2, true);
    const count = view.getUint32(at + 4, true);
    const start = at + BLOCK;
    blocks.push({
      slot: view.getUint16(at, true),
      leads,
      count,
      first: view.getFloat64(at + 8, true),
      ageMs: view.getFloat64(at + 16, true),
      values: new Int16Array(buffer.slice(start, start + 2 * leads * count)),
    });
    at = start + 2 * leads * count;
  }
  return { sentS: view.getFloat64(4, true), blocks };
}
