/**
 * Runs on the audio thread: mixes the channels down and posts blocks of mono float32 to the page.
 * One block is `blockFrames` long (100 ms), so that the page wakes up ten times a second, not 375 times.
 */
class PcmTap extends AudioWorkletProcessor {
  /** @param {{ processorOptions: { blockFrames: number, step: number } }} options */
  constructor(options) {
    super();
    this.blockFrames = options.processorOptions.blockFrames;
    /** Devices above 48 kHz whose rate the browser will not convert: the mean of every `step` samples is one. */
    this.step = options.processorOptions.step;
    this.block = new Float32Array(this.blockFrames);
    this.filled = 0;
    this.ended = false;
    /** @param {MessageEvent} event */
    this.port.onmessage = (event) => {
      if (event.data !== 'end') return;
      this.post();
      this.port.postMessage(null);
      this.ended = true;
    };
  }

  /**
   * @param {Float32Array[][]} inputs
   * @returns {boolean} False when the page has ended the recording, so that the node can be collected.
   */
  process(inputs) {
    const channels = inputs[0] ?? [];
    const frames = channels[0]?.length ?? 0;
    const { step } = this;
    for (let i = 0; i + step <= frames; i += step) {
      let sum = 0;
      for (const channel of channels) for (let k = 0; k < step; k += 1) sum += channel[i + k] ?? 0;
      this.block[this.filled] = sum / (channels.length * step);
      this.filled += 1;
      if (this.filled === this.blockFrames) this.post();
    }
    return !this.ended;
  }

  post() {
    const samples = this.block.slice(0, this.filled);
    this.filled = 0;
    this.port.postMessage(samples, [samples.buffer]);
  }
}

registerProcessor('pcm-tap', PcmTap);
