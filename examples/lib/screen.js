/** Shows partials in place, and finals with the time of every word. */

/** @param {NodeJS.WriteStream} out */
export function createScreen(out = process.stdout) {
  const width = () => out.columns ?? 100;
  let last = '';
  return {
    partial(text) {
      if (out.isTTY) out.write(`\r\x1b[K… ${text.slice(-(width() - 3))}`);
      else if (text !== last) out.write(`… ${text}\n`);
      last = text;
    },
    final({ text, words = [], start, duration, confidence }) {
      if (out.isTTY) out.write('\r\x1b[K');
      if (text === '') return;
      const span = `${start.toFixed(2)}–${(start + duration).toFixed(2)} s`;
      out.write(`${text}\n    ${span}, confidence ${confidence.toFixed(2)}\n`);
      for (const line of wordLines(words, width() - 4)) out.write(`    ${line}\n`);
    },
    line(text) {
      out.write(`${out.isTTY ? '\r\x1b[K' : ''}${text}\n`);
    },
  };
}

/** `0.31 in  0.45 the  0.60 old …`, as many words per line as fit. */
function wordLines(words, width) {
  const lines = [];
  let line = '';
  for (const { word, start } of words) {
    const item = `${start.toFixed(2)} ${word}`;
    if (line !== '' && line.length + 2 + item.length > width) {
      lines.push(line);
      line = '';
    }
    line += line === '' ? item : `  ${item}`;
  }
  return line === '' ? lines : [...lines, line];
}
