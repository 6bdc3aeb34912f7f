/**
 * The settings of a session, merged in this order: defaults of the server and the dialect, changes by `configure`, and
 * the start of the running recording. `configure` during a recording applies to it and to later ones.
 */

import type { LiveFormat } from '../audio/format.js';
import { ServerError } from '../errors.js';
import { languagesOf, type Spoken, speaks } from '../models/languages.js';
import { DEFAULT_LANGUAGE } from '../protocol/parse.js';
import type { RecordingConfig } from '../protocol/types.js';

/** Fields that cannot change during a recording. */
const LOCKED = [
  'sample_rate',
  'encoding',
  'channels',
  'multichannel',
] as const satisfies readonly (keyof RecordingConfig)[];

export class Settings {
  /** In force: for the running recording, or else for one that would begin now. */
  current: RecordingConfig;
  private readonly defaults: RecordingConfig;
  private configured: Partial<RecordingConfig> = {};
  /** Settings of the running recording; null if there is none. */
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

  /** A recording begins with its own settings. */
  begin(own: Partial<RecordingConfig>): RecordingConfig {
    this.own = own;
    return this.fold();
  }

  /** Sets the format found in the audio itself, for this recording only. */
  reformat(format: LiveFormat): RecordingConfig {
    this.own = { ...this.own, ...format };
    return this.fold();
  }

  /** The recording is over. */
  end(): void {
    this.own = null;
    this.fold();
  }

  /** Settings that `configure` set for all later recordings. */
  get lasting(): Partial<RecordingConfig> {
    return this.configured;
  }

  /**
   * Restores the settings of a session from another server.
   * @param own the complete settings of the running recording, so that other defaults here change nothing
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

/** Describes a requested language that the model does not know; null if there is none. */
export function unsupportedLanguage(language: string | undefined, spoken: Spoken): string | null {
  if (language === undefined || language === DEFAULT_LANGUAGE || speaks(spoken, language)) return null;
  return `language: the model only knows ${languagesOf(spoken)}`;
}
