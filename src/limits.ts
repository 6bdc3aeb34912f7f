/**
 * A bound on everything, in one place. What a person may want to change is an option in config.ts instead;
 * these are the bounds that protect the process.
 */
export const LIMITS = {
  /** Everything inside the server is counted in samples at this rate. */
  sampleRateHz: 16_000,
  /** One WebSocket frame. 1 MiB is 5 s of 48 kHz stereo float32: nobody streams in such pieces. */
  maxFrameBytes: 1 << 20,
  /**
   * Audio bytes of a stream that wait because its ring is full. A paused socket still delivers what its
   * receiver has buffered, so one frame of the largest size may come on top of another.
   */
  maxWaitingAudioBytes: 2 << 20,
  /** What a session has received and may not take yet, because a flush or a cut before it is under way; as above. */
  maxInboxBytes: 2 << 20,
  maxInboxFrames: 20_000,
  /** Bytes at the start of a recording that are looked at before they are taken for samples: the header of a WAV. */
  maxHeaderBytes: 4_096,
  /** The text of `recording_stopped`: more than two hours of talk, and far below what a socket may have waiting. */
  maxFinalTranscriptChars: 128 * 1024,
  /**
   * A client that does not resume and sends nothing for this long, or for this many times its `silence_duration`, has its
   * segment finalised.
   */
  pauseMs: 3_000,
  pauseSilences: 5,
  /** A request, its body included, must have come within this: an upload that trickles in holds its place. */
  requestTimeoutMs: 600_000,
  /** An HTTP connection that is kept for another request. */
  keepAliveMs: 72_000,
  /** Samples beyond real time (1.5 s) from which a stream counts as a file and goes behind the live ones. */
  aheadSamples: 24_000,
  /**
   * Sample rates of streams, beside the common ones, that are served at once. The filter of each takes up to 0.9 MB, and
   * tens of milliseconds to design.
   */
  oddRates: 16,
  /** Uploaded files that wait for the thread that decodes them. */
  maxQueuedFiles: 16,
  /** How long the progress of an upload may wait for its client to read before the upload is given up. */
  uploadStallMs: 60_000,
  /** Channels of one file that are transcribed each by itself: every one of them takes a stream's place. */
  maxFileChannels: 8,
  /**
   * Compressed live audio: bytes that a decoder has been given and has not looked at (the others wait on the main thread, up to
   * maxWaitingAudioBytes), the largest part of a container that it keeps, and the largest that it passes over: pictures.
   */
  liveWindowBytes: 128 * 1024,
  maxLivePartBytes: 256 * 1024,
  maxLiveSkipBytes: 8 << 20,
  /** Streams that may begin anew in one recording, beside one a second of its audio: each costs a fresh decoder. */
  maxLiveRestarts: 16,
  /** Silence that stands in a gap of a container's clock: a clock that is ahead by more was set. */
  maxGapSeconds: 60,
  /** A file's decoder may take as long as its audio lasts, and this much more. */
  fileDecodeMs: 30_000,
  /** A decoder that is asked for more and gives nothing for so long is stuck: its thread is ended. */
  fileStallMs: 60_000,
  /** The heap of a thread that decodes files, MB; the file itself and what WebAssembly holds come on top. */
  fileHeapMb: 512,
  /** One control message; hotword lists are the longest. */
  maxControlBytes: 64 * 1024,
  /** Text frames a second, readable or not, averaged, and how many may come at once. */
  controlMessagesPerSecond: 20,
  controlBurst: 60,
  /**
   * Where audio comes as base64 in text frames: one of them (32 s of 24 kHz; a frame of twice maxFrameBytes at most), and how
   * many a second. Real time has 50; a file comes as fast as TCP lets it.
   */
  maxAudioTextChars: 2 << 20,
  audioTextFramesPerSecond: 5_000,
  audioTextFrameBurst: 20_000,
  /** What a process whose recogniser cannot go on takes to bring its sessions to safety before it ends. */
  rescueMs: 5_000,
  /** Lines of the log that wait for their reader, or for room on the disk; beyond it newer ones are dropped. */
  maxLogBytes: 1 << 20,
  /** How often a socket is pinged; one that has not answered by the next ping is closed. */
  heartbeatMs: 20_000,
  /** How long a socket whose client_id a second one asks for has to give a sign of life. */
  probeMs: 2_000,
  /** Bytes waiting in a socket before partials are held back and coalesced. */
  outboxSoftBytes: 64 * 1024,
  /** Bytes waiting in a socket before the session is suspended (SLOW_READER). */
  outboxHardBytes: 1 << 20,
  /**
   * What a resumable session has said and its client is not known to have: more than may wait in its socket, so that a
   * client that was suspended as a slow reader finds all of it. Beyond it the oldest is forgotten.
   */
  maxSentLogBytes: 2 << 20,
  maxSentLogFrames: 20_000,
  /** A session as its fleet keeps it: two channels of the largest state, and what its client may lack. */
  maxRecordBytes: 40 << 20,
  /** One of at most this size is held in memory, too, as it was written last. */
  heldRecordBytes: 1 << 20,
  /** At most so often a record is written while recording; how often else follows from `--checkpoint-bytes-per-second`. */
  recordIntervalMs: 1_000,
  /** A record that does not change is kept alive this often, and outlives its server's last sign of life by the resume window and so much. */
  recordTouchMs: 10_000,
  recordMarginMs: 30_000,
  /** How long a connection that asks for a session waits for the fleet to find it, and for a word whether it is still here. */
  recordWaitMs: 1_500,
  recordLookMs: 500,
  /** The same for all sessions without a socket together; beyond it the longest suspended ends. */
  maxSuspendedBytes: 64 << 20,
  /** Silence that ends a segment, seconds: what may be asked for. */
  minSilenceSeconds: 0.1,
  maxSilenceSeconds: 10,
  /** Keys of `--keys-file`: each request compares what it brings with all of them. */
  maxKeys: 1_000,
  /** Of a request: things that may be meant as the key, and the length of one. */
  maxKeysOffered: 4,
  maxKeyChars: 1_024,
  /** How long a client token is good, unless its request says so, and at most. */
  tokenSeconds: 60,
  maxTokenSeconds: 86_400,
  /** The body of a request for a client token. */
  maxTokenRequestBytes: 4_096,
  /** The length of client_id. */
  maxClientIdChars: 128,
  /** Words in one segment; at 6 words a second this is longer than the longest max_segment_duration. */
  maxSegmentWords: 1_000,
  /** Tokens in one word: beyond this a new word is started, so that a babbling model stays bounded. */
  maxWordTokens: 48,
  /** Finals that wait for a frame to be answered (Vosk's lock step) before they are told in one. */
  maxQueuedFinals: 8,
  /** Unknown settings that a warning names. */
  maxNamedSettings: 10,
  /** Hotword phrases a session. */
  maxHotwords: 100,
  maxHotwordChars: 80,
  /**
   * Lists of hotwords a session, averaged, and how many may come at once. Spelling one takes the main thread up to tens of
   * milliseconds.
   */
  hotwordListsPerSecond: 2,
  hotwordListBurst: 10,
  /** Sockets open at once that hold no stream (status pages, refused ones on their way out). */
  maxHttpConnections: 10_000,
  /** Inspector pages open at once: each makes the server tell it everything each second. */
  inspectWatchers: 8,
  /** Sessions in the inspector's table, and sessions whose events it keeps. */
  inspectSessions: 500,
  /** Events kept of each of them. */
  inspectEvents: 50,
  /** Model manifest: bytes of state a stream may have, twice kept. A 0.6 B cache-aware encoder has 7.7 MB in float32. */
  maxStateBytes: 16 << 20,
  /** Model manifest: samples by which a step advances, 2 s. The longest chunks of published streaming models are 1.12 s. */
  maxChunkSamples: 32_000,
  /** Model manifest: samples that a step sees, 4 s: the longest chunk and as much look-ahead. */
  maxWindowSamples: 64_000,
  /** Imported ONNX files: protobuf ends at 2 GB. */
  maxOnnxBytes: 2 ** 31 - 1,
  /** Messages in one of them; a model of 66 million parameters has 100,000. */
  maxOnnxMessages: 4_000_000,
  /** Files of weights of an imported model: some exporters write one per tensor. */
  maxExternalFiles: 10_000,
  /** How deep they are nested: a loop in a loop in a graph has 20. */
  maxOnnxDepth: 100,
  /** A fleet's Redis: how long one call may take, calls and bytes under way at once; beyond them a call is refused. */
  clusterCallMs: 1_000,
  clusterCalls: 4_096,
  clusterCallBytes: 64 << 20,
  /** It has answered nothing for so long: the connection is given up and made anew. */
  clusterStallMs: 3_000,
  /** How long making a connection may take. */
  clusterConnectMs: 5_000,
  /** Waits between two attempts double up to this. */
  clusterRetryMs: 5_000,
  /** How often a server says that it is there, and for how long each time is good. */
  clusterBeatMs: 1_000,
  clusterLeaseMs: 5_000,
  /** Servers of a fleet. */
  clusterNodes: 256,
  /** How long an upgrade waits for the fleet to say whether its client_id is free. */
  clusterClaimMs: 250,
  /** Clients that one beat may be asked for. */
  clusterAsked: 100,
  /** Uses of keys that changed go to the fleet this often at most; all of them with each beat. */
  clusterShareMs: 100,
  /** Keys and client tokens whose uses the fleet counts together, on one server: those that were used within this time. */
  clusterShared: 8_192,
  clusterSharedMs: 600_000,
  /** Of them in one call. */
  clusterSharedAtOnce: 500,
} as const;
