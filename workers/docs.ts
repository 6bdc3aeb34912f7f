/** Makes the pages of `/docs/`: rendering a long document would hold up the streams of the main thread. */
import { workerData } from 'piscina';
import { apiPage } from '../src/docs/api-page.js';
import { DocsLibrary } from '../src/docs/library.js';
import { socketPage } from '../src/docs/socket-page.js';
import type { DocsData, DocsTask } from '../src/docs/task.js';

const { api } = workerData as DocsData;
const library = new DocsLibrary([apiPage(() => api), socketPage]);

export default function make(task: DocsTask): string {
  switch (task.kind) {
    case 'html':
      return library.html(task.name);
    case 'markdown':
      return library.markdown(task.name);
    case 'llms':
      return library.llmsTxt();
  }
}
