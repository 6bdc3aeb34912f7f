/**
 * All fixed limits, in one place. Limits that users may want to change are options in config.ts; these protect the
 * process.
 */
export const LIMITS = {
  /** All audio inside the server has this sample rate; positions are counted in its samples. */
  sampleRateHz: 16_000,
  /** One WebSocket frame. 1 MiB is 5 s of 48 kHz stereo float32, more than any client sends at once. */
  maxFrameBytes: 1 << 20,
  /**
   * Audio bytes of a stream that wait while its ring is full. A paused socket still delivers what its receiver has
   * buffered, so there is room for two frames of the largest size.
   */
  maxWaitingAudioBytes: 2 << 20,
  /** Input of a session that waits while an earlier flush or cut is under way; the reason for the size is the same. */
  maxInboxBytes: 2 << 20,
  maxInboxFrames: 20_000,
  /** Bytes at the start of a recording that are checked for the header of a WAV file before they count as samples. */
  maxHeaderBytes: 4_096,
  /** The text of `recording_stopped`: more than two hours of speech, and far below the limit on waiting output. */
  maxFinalTranscriptChars: 128 * 1024,
  /**
   * Finalises the segment of a client that does not resume and sends nothing for this long, or for this many times its
   * `silence_duration`.
   */
  pauseMs: 3_000,
  pauseSilences: 5,
  /** Time limit of a request including its body. A slow upload holds its place this long. */
  requestTimeoutMs: 600_000,
  /** How long an idle HTTP connection is kept open. */
  keepAliveMs: 72_000,
  /** Samples ahead of real time (1.5 s) from which a stream counts as a file and runs after live streams. */
  aheadSamples: 24_000,
  /**
   * Sample rates, other than the common ones, in use by streams at once. The filter of each takes up to 0.9 MB and tens
   * of milliseconds to design.
   */
  oddRates: 16,
  /** Uploaded files that wait for a decoder thread. */
  maxQueuedFiles: 16,
  /** How long an upload with progress events waits for its client to read before it is given up. */
  uploadStallMs: 60_000,
  /** Channels of one file that are transcribed separately; each counts as a stream. */
  maxFileChannels: 8,
  /**
   * Compressed live audio: bytes passed to a decoder but not parsed yet (more wait on the main thread, up to
   * maxWaitingAudioBytes); the largest part of a container that is kept; and the largest that is skipped, such as a
   * picture.
   */
  liveWindowBytes: 128 * 1024,
  maxLivePartBytes: 256 * 1024,
  maxLiveSkipBytes: 8 << 20,
  /**
   * Compressed live audio kept for the case that the thread of its decoder dies: per stream (17 minutes at 32 kbit/s),
   * and of all streams. A stream beyond this keeps none.
   */
  liveKeptBytes: 4 << 20,
  liveKeptTotalBytes: 128 << 20,
  /** A thread that gives nothing for this long for a live stream that it should decode is stuck, and is ended. */
  liveStallMs: 20_000,
  /**
   * Streams that may start again within one recording, in addition to one per second of its audio; each needs a new
   * decoder.
   */
  maxLiveRestarts: 16,
  /**
   * Longest gap in a container's timestamps that is filled with silence; after a longer jump the clock counts as reset.
   */
  maxGapSeconds: 60,
  /** Decoding a file may take as long as its audio, plus this. */
  fileDecodeMs: 30_000,
  /** A file's decoder that gives nothing for this long after a request is stuck; its thread is ended. */
  fileStallMs: 60_000,
  /** Heap of a file decoder thread, MB, in addition to the file itself and WebAssembly memory. */
  fileHeapMb: 512,
  /** One control message; hotword lists are the longest. */
  maxControlBytes: 64 * 1024,
  /** Text frames per second, on average, valid or not; and the number that may come at once. */
  controlMessagesPerSecond: 20,
  controlBurst: 60,
  /**
   * For audio as base64 in text frames: characters per frame (32 s at 24 kHz; at most twice maxFrameBytes), and frames
   * per second. Real time needs 50; a file arrives as fast as TCP allows.
   */
  maxAudioTextChars: 2 << 20,
  audioTextFramesPerSecond: 5_000,
  audioTextFrameBurst: 20_000,
  /** Time for a process whose recogniser has failed to save its sessions before it ends. */
  rescueMs: 5_000,
  /** Log lines that wait for their reader or for room on the disk; above this, newer ones are dropped. */
  maxLogBytes: 1 << 20,
  /** How long a process that ends waits for its last log lines to be written. */
  logFlushMs: 2_000,
  /** How often a socket is pinged; a socket that has not answered by the next ping is closed. */
  heartbeatMs: 20_000,
  /** When a second socket asks for a client_id, the first must show within this time that it is alive. */
  probeMs: 2_000,
  /** Bytes waiting in a socket before partials are held back and coalesced. */
  outboxSoftBytes: 64 * 1024,
  /** Bytes waiting in a socket before the session is suspended (SLOW_READER). */
  outboxHardBytes: 1 << 20,
  /**
   * Messages of a resumable session that its client may not have received. More than may wait in a socket, so that a
   * client suspended as a slow reader still gets all of them. Above this, the oldest are dropped.
   */
  maxSentLogBytes: 2 << 20,
  maxSentLogFrames: 20_000,
  /** A session's record in its fleet: two channels of the largest state, and the messages its client may lack. */
  maxRecordBytes: 40 << 20,
  /**
   * A written record of at most this size is also kept in memory, so that it can be written with new tokens during a flush.
   */
  heldRecordBytes: 1 << 20,
  /**
   * Minimum time between two records while recording; the actual interval follows from `--checkpoint-bytes-per-second`.
   */
  recordIntervalMs: 1_000,
  /** How often an unchanged record is renewed. It outlives its server's last renewal by the resume window plus this. */
  recordTouchMs: 10_000,
  recordMarginMs: 30_000,
  /** How long a connection that resumes a session waits for the fleet to find it, and to confirm that it is still here. */
  recordWaitMs: 1_500,
  recordLookMs: 500,
  /** The same for all sessions without a socket together; above this, the session suspended longest ends. */
  maxSuspendedBytes: 64 << 20,
  /** Range of the silence that ends a segment, seconds. */
  minSilenceSeconds: 0.1,
  maxSilenceSeconds: 10,
  /** Keys in `--keys-file`; each request is compared with all of them. */
  maxKeys: 1_000,
  /** Possible keys in a request, and the length of one. */
  maxKeysOffered: 4,
  maxKeyChars: 1_024,
  /** Default and longest validity of a client token. */
  tokenSeconds: 60,
  maxTokenSeconds: 86_400,
  /** The body of a request for a client token. */
  maxTokenRequestBytes: 4_096,
  /** Characters of a client_id. */
  maxClientIdChars: 128,
  /** Words in one segment; at 6 words per second this is longer than the longest max_segment_duration. */
  maxSegmentWords: 1_000,
  /** Tokens in one word; above this a new word begins, in case a model babbles. */
  maxWordTokens: 48,
  /** Finals that wait for a frame to answer (Vosk's lock step) before they are merged. */
  maxQueuedFinals: 8,
  /** Unknown settings named in a warning. */
  maxNamedSettings: 10,
  /** Hotword phrases per session. */
  maxHotwords: 100,
  maxHotwordChars: 80,
  /**
   * Hotword lists per second and session, on average, and the number that may come at once. Compiling one takes the
   * main thread up to tens of milliseconds.
   */
  hotwordListsPerSecond: 2,
  hotwordListBurst: 10,
  /** Open sockets without a stream (status pages, refused connections being closed). */
  maxHttpConnections: 10_000,
  /** Inspector pages open at once; the server sends each one everything once per second. */
  inspectWatchers: 8,
  /** Sessions in the inspector's table, and sessions whose events it keeps. */
  inspectSessions: 500,
  /** Events kept of each of them. */
  inspectEvents: 50,
  /**
   * Model manifest: bytes of state per stream, which is stored twice. A 0.6 B cache-aware encoder has 7.7 MB in
   * float32.
   */
  maxStateBytes: 16 << 20,
  /**
   * Model manifest: samples by which a step advances, 2 s. The longest chunks of published streaming models are 1.12 s.
   */
  maxChunkSamples: 32_000,
  /** Model manifest: samples that a step reads, 4 s: the longest chunk and the same amount of look-ahead. */
  maxWindowSamples: 64_000,
  /** Imported ONNX files: the limit of protobuf is 2 GB. */
  maxOnnxBytes: 2 ** 31 - 1,
  /** Messages in one of them; a model of 66 million parameters has 100,000. */
  maxOnnxMessages: 4_000_000,
  /** Weight files of an imported model; some exporters write one per tensor. */
  maxExternalFiles: 10_000,
  /** Nesting depth; a loop within a loop of a graph has 20. */
  maxOnnxDepth: 100,
  /** A fleet's Redis: time limit of a call; calls and bytes under way at once. Above these, calls are refused. */
  clusterCallMs: 1_000,
  clusterCalls: 4_096,
  clusterCallBytes: 64 << 20,
  /** If Redis answers nothing for this long, the connection is dropped and opened again. */
  clusterStallMs: 3_000,
  /** Time limit for opening a connection. */
  clusterConnectMs: 5_000,
  /** The wait between two attempts doubles up to this. */
  clusterRetryMs: 5_000,
  /** How often a server renews its report, and how long a report is valid. */
  clusterBeatMs: 1_000,
  clusterLeaseMs: 5_000,
  /** Servers in a fleet. */
  clusterNodes: 256,
  /** How long an upgrade waits for the fleet's answer whether its client_id is free. */
  clusterClaimMs: 250,
  /** Clients that one report may be asked to check. */
  clusterAsked: 100,
  /** Minimum time between two exchanges of changed key use; all use is exchanged with each report. */
  clusterShareMs: 100,
  /** Keys and client tokens whose use the fleet counts together, per server, and how long an unused one is kept. */
  clusterShared: 8_192,
  clusterSharedMs: 600_000,
  /** Number of them in one call. */
  clusterSharedAtOnce: 500,
} as const;
