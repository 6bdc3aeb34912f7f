export async function runBench(_flags: Record<string, unknown>): Promise<number> {
  return 0;
}
