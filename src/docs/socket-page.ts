/** `/docs/socket`: the reference of the WebSocket messages, generated from their AsyncAPI description. */
import { type AsyncApi, asyncApi, type DescribedMessage } from '../protocol/asyncapi.js';
import type { GeneratedPage } from './pages.js';
import { type Field, fenced, fieldsOf, fieldsTable, type Schema } from './schema-words.js';

const CODES = 'one of the [codes](WEBSOCKET_API.md#errors-and-warnings)';
/** Every schema with settings contains this one; no other schema does. */
const A_SETTING = 'sample_rate';

const hasSettings = ({ properties = {} }: Schema): boolean => A_SETTING in properties;

/** Settings have a separate table, so that they are not repeated in each message. */
function ownFields(schema: Schema): Field[] {
  const isSettings = hasSettings(schema);
  return fieldsOf(schema).filter(({ path }) =>
    isSettings ? path === 'type' : !/^config\./.test(path) && !/^config\[/.test(path),
  );
}

function messageText(message: DescribedMessage, schema: Schema | undefined): string {
  const { name, summary, examples = [], 'x-answer': answer } = message;
  const answered = answer === undefined ? '' : ` Answered by [\`${answer}\`](#${answer}).`;
  const parts = [`### \`${name}\``, `${summary}${answered}`];
  if (schema !== undefined) {
    parts.push(fieldsTable(ownFields(schema), CODES));
    if (hasSettings(schema)) parts.push('The [settings](#settings) stand beside `type`.');
    else if ('config' in (schema.properties ?? {})) parts.push('`config` holds the [settings](#settings).');
  }
  for (const { payload } of examples) parts.push(fenced('json', JSON.stringify(payload, null, 2)));
  return parts.filter((part) => part !== '').join('\n\n');
}

function section(description: AsyncApi, title: string, names: readonly string[]): string {
  const messages: Readonly<Record<string, DescribedMessage>> = description.components.messages;
  const schemas: Readonly<Record<string, Schema>> = description.components.schemas;
  const texts = names.flatMap((name) => {
    const message = messages[name];
    return message === undefined ? [] : [messageText(message, schemas[name])];
  });
  return [`## ${title}`, ...texts].join('\n\n');
}

const nameOf = ({ $ref }: { readonly $ref: string }): string => $ref.slice($ref.lastIndexOf('/') + 1);

export function socketMarkdown(): string {
  const description = asyncApi();
  const { channels, operations, components } = description;
  const channel = Object.values(channels)[0];
  const settings: Schema = components.schemas.configure ?? {};
  const settingFields = fieldsOf(settings).filter(({ path }) => path !== 'type');
  return `${[
    '# Socket reference',
    `${description.info.description} The prose, with order, silence and resuming, is in [WEBSOCKET_API](WEBSOCKET_API.md); ` +
      'this page is made from [asyncapi.json](../asyncapi.json), which is made from the schemas of the messages.',
    '## Address',
    `\`ws://HOST:8000${channel?.address ?? ''}\`, with these query parameters:`,
    fieldsTable(fieldsOf(channel?.bindings.ws.query ?? {}), CODES),
    section(description, 'What the client sends', operations.listen.messages.map(nameOf)),
    section(description, 'What the server sends', operations.tell.messages.map(nameOf)),
    '## Settings',
    'Of `start_recording` and `configure`; all of them may be left out.',
    fieldsTable(
      settingFields.map((field) => ({ ...field, required: true })),
      CODES,
    ),
  ].join('\n\n')}\n`;
}

export const socketPage: GeneratedPage = {
  name: 'socket',
  title: 'Socket reference',
  about: 'Every message of the WebSocket: fields, types, units, examples',
  section: 'Reference',
  markdown: socketMarkdown,
};
