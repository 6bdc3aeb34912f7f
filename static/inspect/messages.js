/**
 * What `/ws/inspect` says, as types for the editor and the type check; src/inspect/wire.ts is the original.
 *
 * @typedef {{ type: string, params?: Record<string, string> }} ActionInfo
 *
 * @typedef {object} StateInfo
 * @property {string} id `session.open.activity.idle`
 * @property {string} key `idle`
 * @property {string | null} parent
 * @property {'atomic' | 'compound' | 'parallel' | 'final'} type
 * @property {string} description
 *
 * @typedef {object} TransitionInfo
 * @property {string} id
 * @property {string} source
 * @property {string | null} target null: stays.
 * @property {string} event
 * @property {string | null} guard
 * @property {ActionInfo[]} actions
 * @property {string} description
 *
 * @typedef {{ id: string, description: string, states: StateInfo[], transitions: TransitionInfo[] }} MachineGraph
 * @typedef {{ TB: string, LR: string }} Drawings
 * @typedef {{ name: string, graph: MachineGraph, mermaid: { brief: Drawings, full: Drawings } }} Machine
 *
 * @typedef {object} EventRecord
 * @property {number} at Milliseconds since the epoch.
 * @property {string} event
 * @property {Record<string, unknown>} payload
 * @property {string[]} from
 * @property {string[]} to
 * @property {string[]} transitions
 * @property {{ name: string, passed: boolean }[]} guards
 * @property {string[]} actions
 * @property {number} microsteps
 *
 * @typedef {object} SessionRow
 * @property {string} id
 * @property {string} clientId
 * @property {string} remote
 * @property {number} openedAt
 * @property {string} activity
 * @property {boolean} attached
 * @property {number} audioSeconds
 * @property {number} segments
 * @property {number} lagMs
 * @property {number} droppedPartials
 *
 * @typedef {{ type: 'machines', machines: Machine[], serverId: string | null }} MachinesMessage
 * @typedef {{ type: 'sessions', rows: SessionRow[], gone: string[], total: number, shown: number }} SessionsMessage
 * @typedef {{ type: 'watching', session: string | null, machine: string, active: string[], events: EventRecord[] }} WatchingMessage
 * @typedef {{ type: 'event', session: string, record: EventRecord, skipped: number }} EventMessage
 * @typedef {{ type: 'counts', counts: Record<string, number>, ignored: number, since: number }} CountsMessage
 * @typedef {{ type: 'error', error: string }} ErrorMessage
 * @typedef {MachinesMessage | SessionsMessage | WatchingMessage | EventMessage | CountsMessage | ErrorMessage} InspectMessage
 */
export {};
