/** A lane of the server with a stream table, for measurements. */
import { totalmem } from 'node:os';
import { GraphBuilder } from '../../src/import/builder.js';
import { type ElementType, TYPE, value, writeModel } from '../../src/import/onnx.js';
import { Lane } from '../../src/inference/lane.js';
import { slabLayout } from '../../src/inference/layout.js';
import type { Provider } from '../../src/inference/messages.js';
import { type Slot, type SlotOwner, StreamTable } from '../../src/inference/stream-table.js';
import { createLogger } from '../../src/log.js';
import {
  elements,
  type Manifest,
  resultTokens,
  type StateTensor,
  windowOf,
} from '../../src/models/manifest.js';
import type { Model } from '../../src/models/store.js';

const log = createLogger({ logLevel: 'warn', devMode: false });
const RING_SECONDS = 1;
/** Steps that are not counted, because of allocations and the choice of algorithms. */
const WARM_STEPS = 3;

const nobody: SlotOwner = { onStep() {}, onFlushed() {}, onFault() {} };

export class Rig {
  private constructor(
    private readonly lane: Lane,
    private readonly slots: readonly Slot[],
  ) {}

  /** Whether the slab of this many streams, and the lane's gathered batch, fit into half of the memory. */
  static fits(model: Model, streams: number): boolean {
    const layout = slabLayout(model.manifest, streams, RING_SECONDS);
    return layout.bytes + 2 * streams * layout.stateBytes < totalmem() / 2;
  }

  static async start(model: Model, provider: Provider, streams: number): Promise<Rig> {
    const table = new StreamTable(slabLayout(model.manifest, streams, RING_SECONDS), () => {});
    const slots = Array.from({ length: streams }, () => table.lease(nobody)).filter((slot) => slot !== null);
    const lane = new Lane(
      0,
      model,
      table,
      { provider, maxBatch: streams, threads: 1, longestStepMs: 0 },
      log,
    );
    await lane.init();
    return new Rig(lane, slots);
  }

  /** One step of all streams: each advances by one chunk of `speech`, 0.7 s behind its neighbour. */
  private async step(speech: Int16Array) {
    for (const [i, slot] of this.slots.entries()) {
      while (!slot.ready()) {
        const from = (slot.written + i * 11_200) % speech.length;
        const count = Math.min(slot.free(), speech.length - from, 1_600);
        for (let k = 0; k < count; k++) {
          slot.ring[(slot.written + k) % slot.ring.length] = speech[from + k] ?? 0;
        }
        slot.commit(count);
      }
      slot.prepare();
      this.lane.batch[i] = slot.place;
    }
    const answer = await this.lane.step(this.slots.length);
    for (const slot of this.slots) slot.commitStep();
    return answer;
  }

  /** The tokens of all streams, step by step; −1: none. */
  async listen(speech: Int16Array, steps: number): Promise<number[]> {
    const said: number[] = [];
    for (let i = 0; i < steps; i++) {
      await this.step(speech);
      for (const slot of this.slots) said.push(...slot.result.tokens);
    }
    return said;
  }

  /** Medians. */
  async time(steps: number): Promise<{ stepMs: number; runMs: number }> {
    const noise = Int16Array.from({ length: 64_000 }, (_, i) => 3_000 * Math.sin(i * i * 0.001));
    for (let i = 0; i < WARM_STEPS; i++) await this.step(noise);
    const answers = [];
    for (let i = 0; i < steps; i++) answers.push(await this.step(noise));
    const median = (of: number[]) => of.sort((a, b) => a - b)[Math.floor(of.length / 2)] ?? 0;
    return { stepMs: median(answers.map((it) => it.stepMs)), runMs: median(answers.map((it) => it.runMs)) };
  }

  async close(): Promise<void> {
    await this.lane.close();
  }
}

const ELEMENTS = { float32: TYPE.float, float16: TYPE.float16 } as const satisfies Record<
  string,
  ElementType
>;

/** A graph with a model's inputs and outputs that only adds zero to its state, all of one element type. */
export function transferGraph(manifest: Manifest, type: keyof typeof ELEMENTS) {
  const g = new GraphBuilder(17);
  const count = manifest.state.reduce((sum, tensor) => sum + elements(tensor), 0);
  const state: StateTensor[] = [{ input: 'state', output: 'state_next', type, shape: [count] }];
  g.output(g.add('state', g.cast(g.scalar(TYPE.float, 0), ELEMENTS[type])), 'state_next');
  const { tokens, logp } = manifest.outputs;
  const positions = resultTokens(manifest);
  const zero = g.mul(g.slice(manifest.inputs.audio, 0, positions, 1), g.scalar(TYPE.float, 0));
  g.output(zero, logp);
  g.output(g.cast(zero, TYPE.int32), tokens);
  const bytes = writeModel({
    ir: 8,
    producer: 'gpu-check',
    opsets: [{ domain: '', version: 17 }],
    meta: [],
    graph: g.finish(
      'transfer',
      [
        value(manifest.inputs.audio, TYPE.float, ['N', windowOf(manifest)]),
        value('state', ELEMENTS[type], ['N', count]),
      ],
      [
        value(tokens, TYPE.int32, ['N', positions]),
        value(logp, TYPE.float, ['N', positions]),
        value('state_next', ELEMENTS[type], ['N', count]),
      ],
      { outermost: true },
    ),
  });
  return { state, bytes };
}
