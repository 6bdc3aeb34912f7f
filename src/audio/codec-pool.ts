export interface CodecPool { close(): Promise<void> }
