/** What the scripted server knows of one session. */

/** The server's end of one socket, whatever carries it. */
export interface Peer {
  send(text: string): void;
  close(code: number, reason: string): void;
}

export interface Session {
  id: string;
  token: string;
  /** It asked for acknowledgements. */
  resumable: boolean;
  resumptions: number;
  seq: number;
  /** Everything said, for replay. */
  said: string[];
  state: 'idle' | 'recording';
  peer: Peer | null;
  bytesPerSecond: number;
  bytesPerFrame: number;
  rate: number;
  receivedBytes: number;
  /** Text frames since the start of the recording, without pings and keepalives. */
  receivedControls: number;
  ackedSeconds: number;
  shown: number;
  segmentStart: number;
  segmentId: number;
  finals: string[];
}

export const newSession = (id: string, peer: Peer, resumable: boolean): Session => ({
  id,
  token: `token-${id}`,
  resumable,
  resumptions: 0,
  seq: 0,
  said: [],
  state: 'idle',
  peer,
  bytesPerSecond: 32_000,
  bytesPerFrame: 2,
  rate: 16_000,
  receivedBytes: 0,
  receivedControls: 0,
  ackedSeconds: 0,
  shown: 0,
  segmentStart: 0,
  segmentId: 1,
  finals: [],
});

/** What a session has received, as samples at 16 kHz. */
export const samplesOf = ({ receivedBytes, bytesPerSecond }: Session): number =>
  Math.floor((receivedBytes / bytesPerSecond) * 16_000);
