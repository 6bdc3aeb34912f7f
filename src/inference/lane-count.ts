/** The default number of lanes. */
import { availableParallelism } from 'node:os';
import type { Config } from '../config.js';

/** The number of lanes to start when the option is 0. */
export function laneCount(config: Config, provider: 'cpu' | 'cuda'): number {
  if (config.lanes > 0) return config.lanes;
  return provider === 'cuda' ? 1 : Math.max(1, Math.floor(availableParallelism() / config.laneThreads));
}
