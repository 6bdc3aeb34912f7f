/**
 * The settings of a session, one fold: the server's defaults and the dialect's, what `configure` asked for, what the start
 * of the running recording asked for. `configure` in the middle of a recording holds for it and for those that follow.
 */

import type { LiveFormat } from '../audio/format.js';
import { ServerError } from '../errors.js';
import { languagesOf, type Spoken, speaks } from '../models/languages.js';
import { DEFAULT_LANGUAGE } from '../protocol/parse.js';
import type { RecordingConfig } from '../protocol/types.js';

/** Fields that hold for the whole recording. */
const LOCKED = [
  'sample_rate',
  'encoding',
  'channels',
  'multichannel',
] as const satisfies readonly (keyof RecordingConfig)[];

export class Settings {
  /** In force: those of the recording that runs, else of one that would begin now. */
  current: RecordingConfig;
  private readonly defaults: RecordingConfig;
  private configured: Partial<RecordingConfig> = {};
  /** Of the recording that runs; null between two. */
  private own: Partial<RecordingConfig> | null = null;

  constructor(defaults: RecordingConfig, ofDialect: Partial<RecordingConfig>) {
    this.defaults = { ...defaults, ...ofDialect };
    this.current = this.fold();
  }

  /** @throws ServerError CONFIG_LOCKED naming the field */
  configure(changes: Partial<RecordingConfig>): RecordingConfig {
    if (this.own !== null) {
      const locked = LOCKED.find((it) => changes[it] !== undefined && changes[it] !== this.current[it]);
      if (locked !== undefined) throw new ServerError('CONFIG_LOCKED', locked);
      this.own = { ...this.own, ...changes };
    }
    this.configured = { ...this.configured, ...changes };
    return this.fold();
  }

  /** A recording begins, with settings of its own. */
  begin(own: Partial<RecordingConfig>): RecordingConfig {
    this.own = own;
    return this.fold();
  }

  /** The audio itself says what format it has; no longer than this recording. */
  reformat(format: LiveFormat): RecordingConfig {
    this.own = { ...this.own, ...format };
    return this.fold();
  }

  /** The recording is over. */
  end(): void {
    this.own = null;
    this.fold();
  }

  /** What was configured for all recordings to come. */
  get lasting(): Partial<RecordingConfig> {
    return this.configured;
  }

  /**
   * Goes on with settings of a session that another server had.
   * @param own all that was in force in the recording that runs, so that other defaults here change nothing of it
   */
  restore(configured: Partial<RecordingConfig>, own: RecordingConfig | null): void {
    this.configured = configured;
    this.own = own;
    this.fold();
  }

  private fold(): RecordingConfig {
    const folded = { ...this.defaults, ...this.configured, ...this.own };
    if (folded.language === DEFAULT_LANGUAGE) folded.language = this.defaults.language;
    this.current = folded;
    return folded;
  }
}

/** What a model cannot do of a configuration; null if nothing. */
export function unsupportedLanguage(language: string | undefined, spoken: Spoken): string | null {
  if (language === undefined || language === DEFAULT_LANGUAGE || speaks(spoken, language)) return null;
  return `language: the model knows ${languagesOf(spoken)} only`;
}
