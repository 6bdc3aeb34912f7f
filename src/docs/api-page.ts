/** `/docs/api`: the reference of the HTTP routes, generated from their OpenAPI description. */
import type { GeneratedPage } from './pages.js';
import { type Field, fenced, fieldsOf, fieldsTable, type Schema, table, typeWords } from './schema-words.js';

const CODES = 'one of the [codes](WEBSOCKET_API.md#errors-and-warnings)';
const SERVER = 'http://localhost:8000';

interface Content {
  readonly content?: Readonly<Record<string, { readonly schema?: Schema }>>;
  readonly description?: string;
}
interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly description?: string;
  readonly schema: Schema;
}
interface Operation {
  readonly summary: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: Content & { readonly required?: boolean };
  readonly responses: Readonly<Record<string, Content>>;
}

/** The parts of an OpenAPI description that are shown. */
export interface HttpApi {
  readonly info: { readonly description: string; readonly version: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

/** An example request with typical values. */
function curl(method: string, path: string, { requestBody }: Operation): string {
  const types = Object.keys(requestBody?.content ?? {});
  const body = types.includes('audio/*')
    ? ' --data-binary @static/sample.wav'
    : types.includes('application/json')
      ? " -H 'content-type: application/json' -d '{}'"
      : '';
  const verb = method === 'get' || body !== '' ? '' : ` -X ${method.toUpperCase()}`;
  return fenced('sh', `curl -sS${verb}${body} ${SERVER}${path}`);
}

const contentRows = (what: string, { content, description = '' }: Content): string[][] => {
  const types = Object.entries(content ?? {});
  if (types.length === 0) return [[what, '', '', description]];
  return types.map(([type, { schema = {} }], i) => [
    i === 0 ? what : '',
    `\`${type}\``,
    typeWords(schema, CODES),
    i === 0 ? description : '',
  ]);
};

/** Most query parameters are optional; the heading says so. */
function queryText(fields: readonly Field[]): string {
  if (fields.length === 0) return '';
  const areOptional = fields.every(({ required }) => !required);
  const shown = areOptional ? fields.map((field) => ({ ...field, required: true })) : fields;
  return `Query${areOptional ? ', all optional' : ''}:\n\n${fieldsTable(shown, CODES)}`;
}

function operationText(method: string, path: string, operation: Operation): string {
  const { parameters = [], requestBody, responses } = operation;
  const fields = parameters.map(({ name, schema, required = false, description }) => ({
    path: name,
    schema: description === undefined ? schema : { ...schema, description },
    required,
  }));
  return [
    `### \`${method.toUpperCase()} ${path}\``,
    `${operation.summary}.`,
    curl(method, path, operation),
    queryText(fields),
    requestBody === undefined
      ? ''
      : table(
          ['body', 'type', 'schema', 'meaning'],
          contentRows(requestBody.required ? 'required' : 'optional', requestBody),
        ),
    table(
      ['status', 'type', 'schema', 'meaning'],
      Object.entries(responses).flatMap(([status, response]) =>
        contentRows(status === 'default' ? 'else' : status, response),
      ),
    ),
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

function schemaText([name, schema]: [string, Schema]): string {
  const kinds = schema.oneOf ?? [schema];
  const tables = kinds.map((kind) => fieldsTable(fieldsOf(kind), CODES)).filter((text) => text !== '');
  const intro = kinds.length > 1 ? 'One of these:' : (schema.description ?? '');
  return [`### ${name}`, intro, ...tables].filter((part) => part !== '').join('\n\n');
}

export function apiMarkdown({ info, paths, components }: HttpApi): string {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => operationText(method, path, operation)),
  );
  return `${[
    '# HTTP reference',
    `${info.description} This page is generated from [openapi.json](openapi.json), version ${info.version}; the guide is ` +
      "[WEBSOCKET_API](WEBSOCKET_API.md#http), other vendors' routes in [SDKS](SDKS.md).",
    'A server that requires a key accepts it as `Authorization: Bearer …` or `?token=…`.',
    '## Routes',
    ...operations,
    '## Schemas',
    ...Object.entries(components.schemas).map(schemaText),
  ].join('\n\n')}\n`;
}

/** @param describe creates the description, when the page is first requested */
export const apiPage = (describe: () => HttpApi): GeneratedPage => ({
  name: 'api',
  title: 'HTTP reference',
  about: 'Every HTTP route: parameters, bodies, answers, schemas',
  section: 'Reference',
  markdown: () => apiMarkdown(describe()),
});
