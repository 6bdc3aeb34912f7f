/**
 * What every worker thread loads first, as CommonJS, so that the worker itself is loaded by `import()`. Piscina tries
 * `require` first, and Node.js aborts the whole process when a thread ends during the `require` of an ES module
 * (`v8::Module::IsGraphAsync`, seen with 20.20). The worker's URL is the thread's first argument.
 */
const worker: Promise<Record<string, unknown>> = import(process.argv[2] as string);

/**
 * A task's function. If the worker cannot be loaded, the task fails by that error, and the next one ends the thread, so
 * that another is tried.
 */
const taskOf = (name: string): Promise<unknown> =>
  worker.then(
    (it) => it[name],
    (error) => {
      let isTold = false;
      return () => {
        if (isTold) process.exit(1);
        isTold = true;
        throw error;
      };
    },
  );

/** Piscina takes a task's function from the exports, by its name, and awaits it. */
export = new Proxy<Record<string, unknown>>(
  { __esModule: true },
  // Not a promise itself: `then` is not a task.
  { get: (own, name) => own[String(name)] ?? (name === 'then' ? undefined : taskOf(String(name))) },
);
