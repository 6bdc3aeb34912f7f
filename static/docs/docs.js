/** Interactive parts of the documents: copy buttons, diagrams, and a list of contents that follows the reader. */
import { button } from '../debug/dom.js';

const SAID_MS = 1_500;

/** @param {HTMLElement} block */
function makeCopyable(block) {
  const copy = button('Copy', () => void copyCode());
  const copyCode = async () => {
    const text = block.querySelector('code')?.textContent ?? '';
    try {
      await navigator.clipboard.writeText(text.replace(/\n$/, ''));
      copy.textContent = 'Copied';
    } catch {
      copy.textContent = 'Not allowed'; // Forbidden by the browser or the user.
    }
    setTimeout(() => {
      copy.textContent = 'Copy';
    }, SAID_MS);
  };
  block.append(copy);
}

/** Highlights the current section in the list of contents. */
function followReader() {
  const links = new Map(
    [...document.querySelectorAll('#docs-contents a')].map((link) => [
      decodeURIComponent(link.getAttribute('href')?.slice(1) ?? ''),
      link,
    ]),
  );
  const headings = [...document.querySelectorAll('.prose :is(h2, h3)')].filter(({ id }) => links.has(id));
  if (headings.length === 0) return;
  const mark = () => {
    const read = headings.filter((heading) => heading.getBoundingClientRect().top < innerHeight / 4).at(-1);
    for (const [id, link] of links) {
      if (id === read?.id) link.setAttribute('aria-current', 'true');
      else link.removeAttribute('aria-current');
    }
  };
  const observer = new IntersectionObserver(mark, { rootMargin: '0px 0px -75% 0px' });
  for (const heading of headings) observer.observe(heading);
}

for (const block of document.querySelectorAll('.code')) makeCopyable(/** @type {HTMLElement} */ (block));
followReader();
const diagrams = [.../** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('.diagram'))];
if (diagrams.length > 0) await (await import('./diagrams.js')).drawDiagrams(diagrams);
document.documentElement.dataset.ready = '';
