/**
 * Whether node_modules matches the lockfile. npm records what it installed in node_modules/.package-lock.json, so after
 * a manual `npm ci` nothing is installed again.
 */

/** The workspace with the tools of tests, benchmarks and the linter. */
export const TOOLS = 'test/tools';

/**
 * @param {{ packages: Record<string, object> }} lock package-lock.json
 * @param {{ packages: Record<string, object> } | null} present node_modules/.package-lock.json; null: there is none
 * @param {{ tools: boolean }} wanted Whether the tools are wanted, too.
 * @returns {boolean}
 */
export function isInstalled(lock, present, { tools }) {
  if (present === null) return false;
  const wanted = tools ? null : reachable(lock.packages, '');
  return Object.entries(lock.packages).every(([path, entry]) => {
    if (!path.startsWith('node_modules/')) return true; // this package itself and its workspaces
    const found = present.packages[path];
    if (found !== undefined) return entry.version === found.version && entry.integrity === found.integrity;
    // Optional packages may be for other systems, or could not be built here.
    return entry.optional === true || entry.devOptional === true || (wanted !== null && !wanted.has(path));
  });
}

/** A package's dependencies, direct and indirect, by their place in the tree. */
function reachable(packages, from, seen = new Set()) {
  const { dependencies, devDependencies, optionalDependencies, peerDependencies } = packages[from];
  const names = Object.keys({
    ...dependencies,
    ...devDependencies,
    ...optionalDependencies,
    ...peerDependencies,
  });
  for (const name of names) {
    const path = resolved(packages, from, name);
    if (path === null || seen.has(path)) continue;
    seen.add(path);
    reachable(packages, path, seen);
  }
  return seen;
}

/** Where Node finds a package: in node_modules of the dependent package, or of a folder above it. */
function resolved(packages, from, name) {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('node_modules/') - 1))) {
    const path = folder === '' ? `node_modules/${name}` : `${folder}/node_modules/${name}`;
    if (path in packages) return path;
    if (folder === '') return null;
  }
}
