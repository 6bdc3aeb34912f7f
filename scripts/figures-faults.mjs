// The blocks of figures of docs/RELIABILITY.md (figures.mjs).
import { table } from './figures-peers.mjs';

const spread = (values) => (values === null ? '–' : `${values.p50}, ${values.max}`);
const onMachine = ({ machine, made, note }) =>
  `${made.slice(0, 10)}, ${machine.cores} cores (${machine.cpu}), Node ${machine.node}; everything ran on this machine${note === null ? '' : `, ${note}`}`;

export function fleetBlock(run) {
  const { redis } = run;
  const head = [
    'injected',
    'connections lost',
    'resumed',
    'fresh sessions',
    'without a connection, p50 and max, ms',
    'longest time without a result, p50 and max, ms',
  ];
  const rows = run.faults.map((row) => [
    row.fault,
    row.cut,
    row.resumed,
    row.fresh,
    spread(row.away_ms),
    spread(row.silence_ms),
  ]);
  return [
    `${run.servers} servers, ${run.speakers} people, ${run.speech_s} s of speech, seed ${run.seed}: of ${run.words} words and ${run.events} finals, events and answers **${run.words_lost} words lost, ${run.words_added} added, ${run.speakers_that_differ} people who were told anything else than undisturbed**.`,
    '',
    table(head, rows),
    '',
    `Between the faults people paused, too: the longest times without a result were ${run.silence_without_faults_ms.p50} ms (p50) and ${run.silence_without_faults_ms.max} ms (max). Redis, all ${run.speakers} streams: ${redis.calls_per_s} calls a second, ${redis.mb_per_s_in} MB/s, ${redis.memory_mb_max} MB at most, ${redis.cpu_percent} % of a core; ${run.redis_bytes_per_s_per_stream} bytes a second for each stream.`,
    `\`npm run faults -- fleet --speakers ${run.speakers} --seed ${run.seed}\`, ${onMachine(run)}.`,
  ].join('\n');
}

export function fleetCostBlock(cost) {
  const head = [
    'fleet',
    'server CPU, ms per stream-second',
    'chunk latency p95, ms',
    'Redis: calls a second',
    'MB/s',
    'memory, MB',
    'of a core, %',
    'bytes a second for each stream',
  ];
  const rows = cost.rows.map(({ cluster, redis, ...row }) => [
    cluster ? 'yes' : 'no',
    row.cpu_ms_per_stream_second,
    row.chunk_ms.p95,
    redis?.calls_per_s ?? '–',
    redis?.mb_per_s_in ?? '–',
    redis?.memory_mb_max ?? '–',
    redis?.cpu_percent ?? '–',
    row.bytes_per_s_per_stream ?? '–',
  ]);
  return [
    `${cost.streams} streams, ${cost.seconds} s a run, with a fleet and without one in turns. Change of the server's CPU by the fleet: **${cost.more_cpu_percent} %** (by turn: ${cost.more_cpu_percent_each.join(', ')}).`,
    '',
    table(head, rows),
    '',
    `\`npm run faults -- fleet --cost --streams ${cost.streams}\`, ${onMachine(cost)}.`,
  ].join('\n');
}

/** A row for each injected fault. */
export function faultsBlock(run) {
  const head = [
    'injected',
    'survived',
    'words compared',
    'lost or changed',
    'time to recover, ms',
    'longest time without a result, ms',
  ];
  const rows = run.rows.map((row) => [
    row.injected,
    row.survived,
    row.words,
    row.words_lost_or_changed,
    row.recovered_ms ?? '–',
    row.longest_silence_ms,
  ]);
  return [
    `${run.speakers} people in real time for each fault. Undisturbed, the longest time without a result was ${run.undisturbed_silence_ms} ms.`,
    '',
    table(head, rows),
    '',
    `\`npm run faults -- lanes --streams ${run.speakers}\`, ${onMachine(run)}.`,
  ].join('\n');
}

export function overloadBlock(run) {
  const { refused_ms: refused, chunk_ms: chunk } = run;
  const rated = run.rated ? 'its rated number of streams' : 'all streams that it has';
  const option = run.rated ? '' : ` --streams ${run.admitted}`;
  return [
    table(
      ['measured with the real model', ''],
      [
        [
          'offered, in real time',
          `${run.admitted} speakers on ${rated}, and as many others who try every ${run.retry_ms} ms, for ${run.seconds} s`,
        ],
        [
          'refused',
          `${run.refused}: ${refused.p50} ms p50, ${refused.p95} ms p95, ${refused.p99} ms p99, ${refused.max} ms at most`,
        ],
        ['refused in less than 50 ms', `**${run.refused_in_time_percent} %**`],
        [
          'chunk latency of the admitted speakers',
          `${chunk.p50} ms p50, **${chunk.p95} ms** p95, ${chunk.p99} ms p99`,
        ],
        ['their transcripts that differ', `**${run.different}** of ${run.admitted}`],
      ],
    ),
    '',
    `\`npm run faults -- overload${option} --seconds ${run.seconds}\`, ${onMachine(run)}.`,
  ].join('\n');
}
