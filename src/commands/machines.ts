export function showMachines(_flags: { machine?: string; format: string }): number {
  return 0;
}
