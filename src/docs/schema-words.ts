/** JSON schemas in words: tables of fields, for the references generated from the API descriptions. */

export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly format?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: unknown;
  readonly required?: readonly string[];
  readonly description?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly maxItems?: number;
  readonly 'x-unit'?: string;
}

/** Longer lists of values are linked instead of shown. */
const MOST_VALUES = 12;
/** JSON schema bounds integers by the precision of a double; such bounds are not shown. */
const isBound = (value: number | undefined): value is number =>
  value !== undefined && Math.abs(value) < Number.MAX_SAFE_INTEGER;

const cell = (text: string): string => text.replaceAll('|', '\\|').replace(/\s+/g, ' ');
const code = (value: unknown): string => `\`${JSON.stringify(value)}\``;

export const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  rows.length === 0
    ? ''
    : [head, head.map(() => '---'), ...rows.map((row) => row.map(cell))]
        .map((cells) => `| ${cells.join(' | ')} |`)
        .join('\n');

export const fenced = (language: string, text: string): string => `\`\`\`${language}\n${text}\n\`\`\``;

function bounds({ minimum, maximum, maxLength, maxItems }: Schema): string {
  if (isBound(minimum) && isBound(maximum)) return ` ${minimum}–${maximum}`;
  if (isBound(minimum) && minimum !== 0) return ` from ${minimum}`;
  if (isBound(maximum)) return ` up to ${maximum}`;
  if (maxLength !== undefined) return `, at most ${maxLength} characters`;
  return maxItems === undefined ? '' : `, at most ${maxItems}`;
}

/**
 * The allowed values.
 * @param many text in place of a list of values that is too long
 */
export function typeWords(schema: Schema, many: string): string {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.slice(schema.$ref.lastIndexOf('/') + 1);
    return `[${name}](#${name.toLowerCase()})`;
  }
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined) {
    return [...new Set(choices.map((choice) => typeWords(choice, many)))].join(' or ');
  }
  if (schema.enum !== undefined) {
    return schema.enum.length > MOST_VALUES ? many : schema.enum.map(code).join(', ');
  }
  if (schema.const !== undefined) return code(schema.const);
  if (schema.items !== undefined) return `list of ${typeWords(schema.items, many)}${bounds(schema)}`;
  const type = Array.isArray(schema.type) ? schema.type.join(' or ') : (schema.type ?? 'any value');
  const format = schema.format === undefined ? '' : ` (${schema.format})`;
  return `${type}${format}${bounds(schema)}`;
}

export interface Field {
  /** With the names of the enclosing fields: `words[].start`. */
  readonly path: string;
  readonly schema: Schema;
  readonly required: boolean;
}

/** All fields of an object in order, including those of inner objects. */
export function fieldsOf({ properties = {}, required = [] }: Schema, within = ''): Field[] {
  return Object.entries(properties).flatMap(([name, schema]) => {
    const path = `${within}${name}`;
    const inner = schema.items?.properties === undefined ? schema : schema.items;
    const deeper = inner === schema ? `${path}.` : `${path}[].`;
    return [{ path, schema, required: required.includes(name) }, ...fieldsOf(inner, deeper)];
  });
}

/** Field, type, unit, meaning. */
export function fieldsTable(fields: readonly Field[], many: string): string {
  const hasUnits = fields.some(({ schema }) => schema['x-unit'] !== undefined);
  const rows = fields.map(({ path, schema, required }) => [
    `\`${path}\`${required ? '' : ' (optional)'}`,
    typeWords(schema, many),
    ...(hasUnits ? [schema['x-unit'] ?? ''] : []),
    schema.description ?? '',
  ]);
  return table(['field', 'type', ...(hasUnits ? ['unit'] : []), 'meaning'], rows);
}
