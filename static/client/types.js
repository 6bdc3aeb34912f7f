/**
 * The shapes that cross the client library's border. Types only: this module has no code.
 * The messages are those of docs/WEBSOCKET_API.md; times are seconds on the *application's* timeline (see
 * `Timeline`), whatever was dropped, skipped or recorded again in between.
 *
 * @typedef {'pcm16' | 'float32' | 'mulaw' | 'alaw'} Encoding
 *
 * @typedef {object} Hotword
 * @property {string} phrase
 * @property {number} boost
 *
 * @typedef {object} RecordingOptions What `start()` takes; everything may be left out.
 * @property {number} [sample_rate] Hz, 8,000–48,000; 16,000.
 * @property {Encoding} [encoding] On the wire; pcm16.
 * @property {1 | 2} [channels] Two are handed over interleaved.
 * @property {boolean} [multichannel] With two channels: a transcript of each, say of agent and customer.
 * @property {string} [language]
 * @property {boolean} [partials]
 * @property {number} [partial_interval_ms]
 * @property {number | null} [vad_threshold]
 * @property {number} [silence_duration]
 * @property {number} [max_segment_duration]
 * @property {boolean} [words]
 * @property {boolean} [vad_events]
 * @property {boolean} [metrics]
 * @property {Hotword[]} [hotwords]
 *
 * @typedef {object} Word
 * @property {string} word
 * @property {number} start
 * @property {number} end
 * @property {number} confidence 0–1.
 * @property {string} [heard] On the pages: what was recognised, where `word` was corrected by hand.
 *
 * @typedef {object} Partial
 * @property {number} segment_id
 * @property {number} [channel] With `multichannel`: 0 or 1. `segment_id` counts in each.
 * @property {string} text
 * @property {Word[]} words
 * @property {number} stable_chars How much of `text` will not change any more.
 * @property {number} audio_end Seconds of audio that it covers.
 *
 * @typedef {object} Segment
 * @property {number} segment_id
 * @property {number} [channel] With `multichannel`: 0 or 1.
 * @property {string} [speaker] On the pages: the name that the user gave to the channel.
 * @property {string} text
 * @property {Word[]} words
 * @property {number} start
 * @property {number} end
 * @property {string} reason silence, max_duration, finalize, stop, timeout or disconnect.
 *
 * @typedef {object} RecordingResult
 * @property {string} transcript
 * @property {Segment[]} segments
 * @property {number} duration Seconds of audio that the application handed over.
 * @property {number} droppedSeconds Of these, recognised by no server: the sum of `lost`.
 * @property {import('./losses.js').Loss[]} lost What was dropped, in order.
 * @property {number} skippedSeconds Of these, silence that the voice gate held back.
 *
 * @typedef {'idle' | 'connecting' | 'live' | 'reconnecting' | 'resumed' | 'refused' | 'closed'} ClientState
 *   `live`: connected; a recording that was started is confirmed by the server. `resumed`: the recording goes on
 *   and what was kept is still being sent; then `live`. `refused`: the server said no; with `retryInMs` it is tried
 *   again, also where it has no room for a recording on a connection that it let in. `closed`: given up.
 *
 * @typedef {object} Reason Why a connection was refused or lost.
 * @property {string} code A code of the server's error table, or UNREACHABLE / CONNECTION_LOST / TIMEOUT (it does not
 *   answer) / RECORDING_ENDED (the server ended the recording by itself; a new one goes on from there).
 * @property {string} text
 * @property {boolean} retryable
 * @property {number} [retryAfterMs]
 *
 * @typedef {object} StateChange
 * @property {ClientState} state
 * @property {ClientState} previous
 * @property {Reason} [reason]
 * @property {number} [attempt] Counts from 1.
 * @property {number} [retryInMs]
 * @property {boolean} [fresh] True when a new recording on the server took over: the server had forgotten the
 *   session, or had ended the recording. What no final covered was sent again; ids and times go on.
 *
 * @typedef {object} ServerMetrics
 * @property {number} level_dbfs
 * @property {number} lag
 * @property {number} step_ms_p50
 * @property {number} step_ms_p95
 * @property {number} dropped_partials
 * @property {number} audio_received
 *
 * @typedef {object} LatencySample Milliseconds; only the fields that were measured just now.
 * @property {number} [chunkMs] A chunk left → a result that covers it came.
 * @property {number} [wordMs] A word ended in the audio → the first result that shows it and is not taken back,
 *   or its painting (option `painted`). Known with the word's final, one event for each word.
 * @property {number} [rttMs] Network round trip.
 *
 * @typedef {object} Percentiles
 * @property {number} count
 * @property {number | null} p50
 * @property {number | null} p95
 * @property {number | null} p99
 * @property {number | null} last
 *
 * @typedef {object} ClientStats
 * @property {Percentiles} chunkMs
 * @property {Percentiles} wordMs
 * @property {Percentiles} rttMs
 * @property {number} queuedSeconds Not yet sent.
 * @property {number} unacknowledgedSeconds Sent or queued, not yet confirmed by the server.
 * @property {number} droppedSeconds
 * @property {number} skippedSeconds
 * @property {number} reconnects
 * @property {number} lag Seconds of audio sent that no result covers yet, as the server says it.
 * @property {number} droppedPartials
 *
 * @typedef {object} ClientEvents
 * @property {Record<string, unknown> & { client_id: string, session_id?: string }} connection
 * @property {StateChange} state
 * @property {Partial} partial
 * @property {Segment} transcription
 * @property {{ audio_time: number, channel?: number }} speech_started
 * @property {{ audio_time: number, channel?: number }} speech_ended
 * @property {{ code: string, text: string, detail?: string }} warning
 * @property {{ code: string, text: string, retryable: boolean, detail?: string }} error
 * @property {ServerMetrics} metrics
 * @property {LatencySample} latency
 * @property {import('./losses.js').Loss & { seconds: number, totalSeconds: number }} dropped
 * @property {{ direction: 'in' | 'out', message: Record<string, unknown> }} message Every text frame, raw.
 *
 * @typedef {object} Clock
 * @property {() => number} now Milliseconds, monotonic.
 * @property {(callback: () => void, delayMs: number) => unknown} setTimeout
 * @property {(handle: unknown) => void} clearTimeout
 *
 * @typedef {object} ReconnectOptions
 * @property {boolean} [enabled] true.
 * @property {number} [baseMs] 250; the wait before attempt n is random · min(maxMs, baseMs · 2ⁿ).
 * @property {number} [maxMs] 10,000.
 * @property {number} [maxAttempts] In a row; then the client gives up and closes. 20, and as many more as it takes
 *   to fill `maxQueueSeconds`.
 *
 * @typedef {object} VoiceGateOptions
 * @property {number} [threshold] RMS 0–1 over 20 ms above which a frame counts as voice; 0.006 (−44 dBFS).
 * @property {number} [hangoverMs] Sent after the last voice; 1,200.
 * @property {number} [prerollMs] Sent from before the first voice; 300.
 *
 * @typedef {object} SocketLike The part of WebSocket that the client uses; `ws` and browsers both have it.
 * @property {number} readyState
 * @property {number} bufferedAmount
 * @property {string} binaryType
 * @property {(data: string | Uint8Array<ArrayBuffer>) => void} send
 * @property {(code?: number, reason?: string) => void} close
 * @property {((event: unknown) => void) | null} onopen
 * @property {((event: { data: unknown }) => void) | null} onmessage
 * @property {((event: { code: number, reason: string }) => void) | null} onclose
 * @property {((event: unknown) => void) | null} onerror
 *
 * @typedef {new (url: string) => SocketLike} SocketConstructor
 *
 * @typedef {object} ClientOptions
 * @property {string} [url] ws:, wss:, http: or https:; in a browser the page's own server by default.
 *   An address that ends with a slash (`wss://example.com/speech/`) is completed with `ws/transcribe`.
 * @property {string} [clientId]
 * @property {Record<string, string>} [params] More query parameters, for example an access token.
 * @property {SocketConstructor} [WebSocket] The global one, or the npm package `ws` where there is none.
 * @property {typeof globalThis.fetch} [fetch] Used to ask for the reason of a refusal.
 * @property {ReconnectOptions} [reconnect]
 * @property {number} [maxQueueSeconds] Audio kept while the server cannot be sent to; 30 (the server's resume
 *   window). A shorter outage loses nothing.
 * @property {number} [maxBacklogSeconds] Audio handed over faster than the network takes it; 300.
 * @property {VoiceGateOptions | boolean} [vad] Client-side voice activity; off.
 * @property {number} [pingIntervalMs] 5,000.
 * @property {number} [connectTimeoutMs] 10,000.
 * @property {number} [answerTimeoutMs] 15,000. A server that owes an answer and sends nothing for so long is treated as
 *   a lost connection; after three times in a row the client gives up. Results and acknowledgements show that it works.
 * @property {number} [answerLimitMs] 600,000. The longest wait for an answer, whatever else arrives: twice the time of
 *   the audio that may stand before a request (`maxBacklogSeconds`).
 * @property {number | null} [quietFinalizeMs] 3,000, or 5 times `silence_duration` if that is longer. If the application
 *   hands over no audio for so long, though everything was sent, `finalize` closes the segment. null: never.
 * @property {(done: () => void) => void} [painted] Called after each result; to call `done` when it is on the
 *   screen. Word latency then ends there instead of at the message's arrival.
 * @property {Clock} [clock]
 * @property {() => number} [random] 0 ≤ x < 1.
 */
export {};
