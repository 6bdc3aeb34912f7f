/** How much a simulated server holds: the number of elements of every collection that can be reached from it. */

/** What is not a server's own, by the name of the field. */
const PASSED = new Set([
  'world',
  'manifest',
  'machine',
  'logic',
  'system',
  'model',
  'lanes',
  'store',
  'process',
]);

/** Most elements seen of each collection, by its path; what is within other collections counts as one path. */
export type Sizes = Map<string, number>;

/** Looks at all that can be reached from `root`, and raises the figures in `sizes`. */
export function measure(root: object, sizes: Sizes): void {
  const seen = new Set<object>([root]);
  const waiting: [path: string, value: object][] = [['', root]];
  const visit = (path: string, value: unknown) => {
    if (typeof value !== 'object' || value === null || seen.has(value)) return;
    if (ArrayBuffer.isView(value) || value instanceof SharedArrayBuffer || value instanceof ArrayBuffer)
      return;
    seen.add(value);
    waiting.push([path, value]);
  };
  const note = (path: string, count: number) => {
    if (count > (sizes.get(path) ?? 0)) sizes.set(path, count);
  };
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const [path, value] = next;
    if (Array.isArray(value) || value instanceof Set) {
      const elements = [...value];
      note(path, elements.length);
      for (const element of elements) visit(`${path}[]`, element);
    } else if (value instanceof Map) {
      note(path, value.size);
      for (const element of value.values()) visit(`${path}{}`, element);
    } else
      for (const [name, field] of Object.entries(value))
        if (!PASSED.has(name)) visit(`${path}.${name}`, field);
  }
}
