"""Milliseconds a step on one thread at several batch sizes: median wall time, and processor time of the best run, which
other jobs on the machine disturb less.

    python bench_step.py ../models/en-tiny-streaming
"""
import sys
import time

import numpy as np

from streaming import Recogniser


def main():
    graph = Recogniser(sys.argv[1])
    rng = np.random.default_rng(0)
    for batch in (1, 4, 16, 64, 128):
        state, took, used = graph.empty_state(batch), [], []
        audio = (rng.standard_normal((batch, graph.chunk)) * .05).astype(np.float32)
        for _ in range(60 if batch < 64 else 25):
            began, before = time.perf_counter(), time.process_time()
            *_, state = graph.step(audio, state)
            took.append(time.perf_counter() - began)
            used.append(time.process_time() - before)
        wall, cpu = np.median(took[5:]) * 1000, np.array(used[5:]) * 1000
        print(f"batch {batch}: wall {wall:.2f} ms, processor {np.median(cpu):.2f} ms (best {cpu.min():.2f}), {cpu.min() / batch:.3f} ms a stream")


if __name__ == "__main__":
    main()
