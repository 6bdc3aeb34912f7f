/** `rnnt-server machines`: the state machines as text. */
import { MACHINE_NAMES, type MachineFormat, type MachineName, renderMachine } from '../inspect/machines.js';

export function showMachines(flags: { machine?: MachineName; format: MachineFormat }): number {
  const names = flags.machine === undefined ? MACHINE_NAMES : [flags.machine];
  process.stdout.write(names.map((name) => renderMachine(name, flags.format)).join('\n'));
  return 0;
}
