/** The command line. Options come from config.ts; a bad value ends with a clear message and exit code 2. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { fileFormatsText } from './audio/file-formats.js';
import { type Config, envOf, flagOf, loadConfig, OPTION_NAMES, OPTIONS, type OptionName } from './config.js';
import { ServerError } from './errors.js';
import { PRECISIONS, SEARCHES } from './import/options.js';
import { MACHINE_FORMATS, MACHINE_NAMES } from './inspect/machines.js';
import { flushLogs } from './log-sink.js';
import { packageVersion } from './paths.js';
import { FILE_FORMATS } from './protocol/file-formats.js';

const EXIT_USAGE = 2;
const EXIT_CODES_HELP = `
Exit codes: 0 success, 1 failures of several kinds, 2 wrong usage, 3 a file cannot be read, 4 unknown audio
format, 5 damaged audio, 6 too long, 7 the model cannot be loaded. Files in folders that are not audio are skipped.
A progress bar is shown if standard error is a terminal.`;

/** A count or duration of the bench command, whose options are not in the schema. */
function positive(value: string): number {
  const number = Number(value);
  if (Number.isInteger(number) && number > 0) return number;
  throw new InvalidArgumentError('Must be an integer above 0.');
}

/** A choice in any case, like the options of the schema. */
function choice<T extends string>(words: readonly T[]): (value: string) => T {
  return (value) => {
    const found = words.find((word) => word === value.toLowerCase());
    if (found !== undefined) return found;
    throw new InvalidArgumentError(`Allowed choices are ${words.join(', ')}.`);
  };
}

const collect = (value: string, earlier: readonly string[] = []): string[] => [...earlier, value];

/** Adds the given options of the schema to a command. */
function withOptions(command: Command, names: readonly OptionName[]): Command {
  for (const name of names) {
    const { doc, initial } = OPTIONS[name];
    const isFlag = typeof initial === 'boolean';
    const shown = String(initial) === '' ? '' : ` (default: ${String(initial)})`;
    const flags = `--${flagOf(name)}${isFlag ? ' [yes|no]' : ' <value>'}`;
    command.addOption(new Option(flags, `${doc}${shown} [env: ${envOf(name)}]`));
  }
  return command;
}

/** Options that apply only with a model. */
const OF_A_MODEL: ReadonlySet<OptionName> = new Set([
  ...(['model', 'provider', 'lanes', 'laneThreads', 'batchWaitMs', 'maxStreams', 'memoryMb'] as const),
  ...(['admission', 'latencyTargetMs'] as const),
]);

function configOf(flags: Record<string, unknown>): Config {
  return loadConfig(flags as Partial<Record<OptionName, unknown>>);
}

/** The command line with all commands and options; `finish` receives the exit code. */
export function buildProgram(finish: (code: number) => void): Command {
  const program = new Command('rnnt-server')
    .description('Real-time speech recognition over WebSockets.')
    .version(packageVersion)
    .showHelpAfterError()
    .exitOverride();

  withOptions(
    program.command('start').description('Run the server (the default command).'),
    OPTION_NAMES,
  ).action(async (flags) => finish(await (await import('./main.js')).runServer(configOf(flags))));

  withOptions(
    program
      .command('mock')
      .description('Run the server with scripted results and no model, for developing and testing clients.')
      .option(
        '--script <file>',
        'JSON with utterances, times and faults (see docs/DEVELOPER_GUIDE.md); default: built in',
      ),
    OPTION_NAMES.filter((name) => !OF_A_MODEL.has(name)),
  ).action(async ({ script, ...flags }) => {
    const { mockServer } = await import('./commands/mock.js');
    finish(await (await import('./main.js')).runServer(configOf(flags), mockServer(script)));
  });

  const transcribe = program
    .command('transcribe')
    .description('Transcribe audio files without a server.')
    .argument('<inputs...>', `audio files (${fileFormatsText}), folders, or - for standard input`)
    .addOption(new Option('--format <format>', 'default: text').choices(FILE_FORMATS))
    .option('--json', 'same as --format json: one JSON object per file, one per line, including failures')
    .option('--out <path>', 'a file for one input, a folder for several; default: standard output')
    .option('--multichannel', 'one transcript per channel')
    .option(
      '--hotword <phrase>',
      'a phrase of the custom vocabulary, "Kubernetes" or "Kubernetes:3" (boost); repeatable',
      collect,
    )
    .option('--language <tag>', 'language of the audio; warns if the model does not know it')
    .option('--encoding <name>', 'the input is raw samples: pcm16, float32, mulaw or alaw')
    .option('--sample-rate <Hz>', 'of raw samples; default: 16000')
    .option('--channels <n>', 'of raw samples; default: 1')
    .addHelpText('after', EXIT_CODES_HELP);
  withOptions(transcribe, ['model', 'provider', 'maxUploadSeconds', 'logLevel']).action(
    async (files, flags) =>
      finish(await (await import('./commands/transcribe.js')).transcribeFiles(files, flags, configOf(flags))),
  );

  program
    .command('import')
    .description('Import a streaming transducer from sherpa-onnx or NeMo.')
    .argument('<source>', 'folder with encoder, decoder and joiner (.onnx) and tokens.txt')
    .option('--out <dir>', 'where to create the model’s folder (default: models/)')
    .option('--name <name>', 'name of the model (default: that of the source folder)')
    .addOption(new Option('--precision <precision>', 'which files').choices(PRECISIONS).default('auto'))
    .addOption(new Option('--search <search>', 'search algorithm').choices(SEARCHES).default('greedy'))
    .option('--language <codes>', 'its languages, such as "en" or "zh,en" (default: from the folder’s name)')
    .option('--chunk-ms <ms>', 'chunk length of NeMo’s own export, if the graph does not show it', positive)
    .option(
      '--left-frames <frames>',
      'left context of NeMo’s own export, if the graph does not show it',
      positive,
    )
    .action(async (source, flags) =>
      finish(await (await import('./commands/import.js')).runImport(source, flags)),
    );

  const models = program.command('models').description('List the installed models, or verify one.');
  models.argument('[name]', 'a model to verify: every file against its checksum');
  models.action(async (name) => finish(await (await import('./commands/models.js')).showModels(name)));
  withOptions(
    models
      .command('show')
      .description('Describe a model and measure its speed on this machine.')
      .argument('<name>'),
    ['provider', 'lanes', 'laneThreads', 'maxBatch', 'latencyTargetMs', 'logLevel'],
  ).action(async (name, flags) =>
    finish(await (await import('./commands/models.js')).showModel(name, configOf(flags))),
  );

  program
    .command('key')
    .description('Create an access key and its line for --keys-file.')
    .argument('<name>', 'name of the key, shown in logs and refusals')
    .option('--streams <n>', 'live streams at once', positive)
    .option('--uploads <n>', 'uploads at once', positive)
    .option('--per-minute <n>', 'connections, uploads and client tokens per minute', positive)
    .action(async (name, flags) => finish((await import('./commands/key.js')).makeKey(name, flags)));

  program
    .command('machines')
    .description('Print the state machines.')
    .option('--machine <name>', `print only this machine: ${MACHINE_NAMES.join(', ')}`, choice(MACHINE_NAMES))
    .option('--format <format>', MACHINE_FORMATS.join(' or '), choice(MACHINE_FORMATS), 'mermaid')
    .action(async (flags) => finish((await import('./commands/machines.js')).showMachines(flags)));

  program
    .command('bench')
    .description('Load a running server with paced speech.')
    .option('--url <url>', 'its WebSocket', 'ws://localhost:8000/ws/transcribe')
    .option('--connections <n>', 'streams at once', positive, 16)
    .option('--duration <s>', 'seconds', positive, 30)
    .option('--json', 'print JSON')
    .action(async (flags) => finish(await (await import('./commands/bench.js')).runBench(flags)));
  return program;
}

/** Flags of the program itself, rather than of the omitted command. */
const OWN_FLAGS = ['-h', '--help', '-V', '--version'];

/**
 * `rnnt-server --port 9000` means `rnnt-server start --port 9000`. Commander's default command is not used: it would
 * get a mistyped command as an argument and could not suggest the right one.
 */
function withCommand(argv: readonly string[]): readonly string[] {
  const [first] = argv;
  return first === undefined || (first.startsWith('-') && !OWN_FLAGS.includes(first))
    ? ['start', ...argv]
    : argv;
}

/**
 * When the reader of the output closes it (`| head`), a command ends. A server keeps running, as it does on a full
 * disk.
 */
function endWithReader(isServer: boolean): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (isServer) return;
    if (error.code !== 'EPIPE') throw error;
    void flushLogs().then(() => process.exit(0));
  });
  if (isServer) process.stderr.on('error', () => {});
}

/** Runs the command line; returns the exit code. */
export async function runCli(argv: readonly string[]): Promise<number> {
  endWithReader(['start', 'mock'].includes(withCommand(argv)[0] ?? ''));
  let code = 0;
  const program = buildProgram((result) => {
    code = result;
  });
  try {
    await program.parseAsync(withCommand(argv), { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
    if (error instanceof ServerError) {
      process.stderr.write(`rnnt-server: ${error.code}: ${error.message}\n`);
      return error.code === 'CONFIG_INVALID' ? EXIT_USAGE : 1;
    }
    throw error;
  } finally {
    await flushLogs();
  }
}
