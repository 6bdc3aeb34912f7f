/**
 * Runs on the audio thread: posts blocks of float32 to the page, with all channels mixed to one, or two interleaved. A
 * block is `blockFrames` long (100 ms), so that the page wakes 10 times per second instead of 375.
 */
class PcmTap extends AudioWorkletProcessor {
  /** @param {{ processorOptions: { blockFrames: number, step: number, channels?: 1 | 2 } }} options */
  constructor(options) {
    super();
    this.blockFrames = options.processorOptions.blockFrames;
    /** For devices above 48 kHz whose rate the browser does not convert: averages every `step` samples. */
    this.step = options.processorOptions.step;
    this.apart = options.processorOptions.channels === 2;
    this.block = new Float32Array(this.blockFrames * (this.apart ? 2 : 1));
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
    // A device may lose its second channel during use; both channels are then the first.
    const groups = this.apart ? [channels.slice(0, 1), channels.slice(-1)] : [channels];
    for (let i = 0; i + step <= frames; i += step) {
      for (const group of groups) {
        let sum = 0;
        for (const channel of group) for (let k = 0; k < step; k += 1) sum += channel[i + k] ?? 0;
        this.block[this.filled] = sum / (group.length * step);
        this.filled += 1;
      }
      if (this.filled === this.block.length) this.post();
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
