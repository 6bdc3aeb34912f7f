/**
 * Handles each input of a session. Answers keep their exact place: settings changed in the middle of a recording, and
 * answers given there, wait until all earlier audio is recognised. What a client is sent thus depends only on what it
 * sent, not on its speed or on which server processes it.
 */
import type { SessionActivity, SessionEvent } from '../../machines/session.js';
import { ERRORS, toServerError } from '../errors.js';
import type { DialectPolicy, Frame, InputHandlers } from '../protocol/dialect.js';
import type { RecordingConfig } from '../protocol/types.js';
import type { Gate } from './gate.js';
import type { Inbox } from './inbox.js';
import type { Recorder } from './recorder.js';
import type { Replies } from './replies.js';
import type { Watch } from './watch.js';

export interface CommandParts {
  readonly policy: DialectPolicy;
  readonly inbox: Inbox;
  readonly gate: Gate;
  readonly recorder: Recorder;
  readonly replies: Replies;
  readonly watch: Watch;
  readonly outbox: { send(frames: readonly Frame[]): void };
  activity(): SessionActivity;
  acceptsAudio(): boolean;
  /** To the session's machine. */
  send(event: SessionEvent): void;
}

export class Commands {
  readonly handlers: InputHandlers;
  private readonly parts: () => CommandParts;

  /** @param parts called at the first input, since the inbox and the gate need this object first */
  constructor(parts: () => CommandParts) {
    this.parts = parts;
    this.handlers = {
      audio: ({ bytes }) => this.audio(bytes),
      start: ({ config }) => this.start(config),
      stop: () => parts().send({ type: 'STOP' }),
      finalize: () => parts().send({ type: 'FINALIZE' }),
      configure: ({ config }) => this.inPlace(() => parts().recorder.configure(config)),
      ping: ({ text }) => parts().replies.tell({ type: 'pong', text }),
      keepalive: () => {},
      close: (input) => parts().gate.leave(input),
      say: ({ frames }) => parts().outbox.send(frames),
      warning: (input) => this.inPlace(() => parts().replies.tell(input)),
      fail: ({ code, detail }) => parts().replies.fail(code, detail),
    };
  }

  /** A frame could not be accepted or parsed. A fatal error ends the connection at once. */
  reject(error: unknown): void {
    const { replies } = this.parts();
    if (ERRORS[toServerError(error).code].closeCode !== null) replies.reject(error);
    else this.inPlace(() => replies.reject(error));
  }

  private inPlace(act: () => void): void {
    const { gate, replies } = this.parts();
    gate.inPlace(() => {
      try {
        act();
      } catch (error) {
        replies.reject(error);
      }
    });
  }

  /** Opens the recording before the machine is told: a recording that cannot begin changes nothing. */
  private start(config: Partial<RecordingConfig>): void {
    const { activity, recorder, inbox, send } = this.parts();
    const begin = () => send({ type: 'START', config: recorder.settings.current });
    if (activity() !== 'idle') {
      this.inPlace(begin);
      return;
    }
    if (!recorder.open(config)) return;
    inbox.controls = 0;
    begin();
  }

  private audio(bytes: Uint8Array): void {
    const { recorder, policy, watch, acceptsAudio } = this.parts();
    if (recorder.live === null && policy.startsByItself) this.start({});
    if (acceptsAudio()) {
      watch.audioMs = watch.heardMs;
      recorder.push(bytes);
    } else recorder.ignore();
  }
}
