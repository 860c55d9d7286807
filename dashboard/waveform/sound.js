// Alarm sounds by WebAudio: bursts as IEC 60601-1-8 describes them, started by what the server
// says, so that a browser which slows timers down in hidden tabs does not delay them.

const BURSTS = {
  high: { pulses: [0, 0.25, 0.5, 0.85, 1.1], hz: 880, everyS: 4 },
  medium: { pulses: [0, 0.3, 0.6], hz: 660, everyS: 8 },
  low: { pulses: [0], hz: 440, everyS: 30 },
};
const PULSE_S = 0.15;

export class Sound {
  constructor() {
    // a kiosk's browser lets it run at once; elsewhere it is suspended until somebody clicks
    this.context = new AudioContext();
    this.lastS = { high: -Infinity, medium: -Infinity, low: -Infinity };
  }

  get on() {
    return this.context.state === "running";
  }

  // Browsers allow sound only after a click or a key.
  enable() {
    return this.context.resume();
  }

  // Called a few times a second: sounds a burst when one is due.
  call(priority) {
    if (!this.on || !priority) return;
    const { pulses, hz, everyS } = BURSTS[priority];
    const now = this.context.currentTime;
    if (now - this.lastS[priority] < everyS) return;
    this.lastS[priority] = now;
    for (const offset of pulses) this.pulse(now + 0.02 + offset, hz);
  }

  pulse(at, hz) {
    const volume = this.context.createGain();
    volume.gain.setValueAtTime(0, at);
    volume.gain.linearRampToValueAtTime(0.25, at + 0.02);
    volume.gain.setValueAtTime(0.25, at + PULSE_S - 0.03);
    volume.gain.linearRampToValueAtTime(0, at + PULSE_S);
    volume.connect(this.context.destination);
    for (const harmonic of [1, 2, 3, 4]) {
      const tone = this.context.createOscillator();
      const level = this.context.createGain();
      tone.frequency.value = hz * harmonic;
      level.gain.value = 1 / (harmonic * 2);
      tone.connect(level).connect(volume);
      tone.start(at);
      tone.stop(at + PULSE_S);
    }
  }
}
