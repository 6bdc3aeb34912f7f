import { envOf, flagOf, OPTION_NAMES, OPTIONS } from '../../src/config.js';
import type { Option } from '../../src/option-schemas.js';

/** The options as a Markdown table, for docs/CONFIGURATION.md; a test keeps it fresh. */
export function optionsTable(): string {
  const rows = OPTION_NAMES.map((name) => {
    const { initial, unit, doc }: Option = OPTIONS[name];
    const shown = String(initial) === '' ? '–' : `\`${String(initial)}\`${unit ? ` ${unit}` : ''}`;
    return `| \`--${flagOf(name)}\` | \`${envOf(name)}\` | ${shown} | ${doc} |`;
  });
  return ['| option | environment | default | meaning |', '|---|---|---|---|', ...rows].join('\n');
}
