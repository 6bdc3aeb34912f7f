/** Saved transcripts with their audio: opt-in, only in this browser (IndexedDB), and limited in number. */

const DATABASE = 'rnnt-transcripts';
/** Older ones are deleted. With ten minutes of audio each at 16 kHz, this is at most 400 MB. */
export const MAX_KEPT = 20;

/**
 * @typedef {import('../client/types.js').Segment} Segment
 * @typedef {object} Kept
 * @property {number} id Milliseconds since 1970, made unique.
 * @property {string} name
 * @property {string} language BCP 47; may be empty.
 * @property {Segment[]} segments
 * @property {number} rate Of the audio, Hz.
 * @property {number} seconds
 */

export class TranscriptHistory {
  /** @type {Promise<IDBDatabase> | null} */
  #database = null;

  #open() {
    this.#database ??= new Promise((resolve, reject) => {
      const request = indexedDB.open(DATABASE, 1);
      request.onupgradeneeded = () => {
        request.result.createObjectStore('transcripts', { keyPath: 'id' });
        request.result.createObjectStore('audio');
      };
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    return this.#database;
  }

  /**
   * @template T
   * @param {IDBTransactionMode} mode
   * @param {(transcripts: IDBObjectStore, audio: IDBObjectStore) => IDBRequest<T> | void} act
   * @returns {Promise<T | undefined>} The request's result, once all of it is stored.
   */
  async #do(mode, act) {
    const transaction = (await this.#open()).transaction(['transcripts', 'audio'], mode);
    const request = act(transaction.objectStore('transcripts'), transaction.objectStore('audio'));
    await new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error);
    });
    return request?.result;
  }

  /** @returns {Promise<Kept[]>} The newest first. */
  async list() {
    const all = /** @type {Kept[]} */ (await this.#do('readonly', (transcripts) => transcripts.getAll()));
    return (all ?? []).reverse();
  }

  /**
   * Saves a transcript, and deletes the oldest if there are too many.
   * @param {Kept} kept
   * @param {Int16Array} audio
   */
  async add(kept, audio) {
    const old = (await this.list()).slice(MAX_KEPT - 1);
    await this.#do('readwrite', (transcripts, sounds) => {
      for (const { id } of old) {
        transcripts.delete(id);
        sounds.delete(id);
      }
      transcripts.put(kept);
      sounds.put(audio, kept.id);
    });
  }

  /** @param {number} id */
  async audio(id) {
    const found = await this.#do(
      'readonly',
      (_, sounds) => /** @type {IDBRequest<Int16Array>} */ (sounds.get(id)),
    );
    return found ?? new Int16Array(0);
  }

  /** @param {Kept} kept With its new name, or with words corrected. */
  async update(kept) {
    await this.#do('readwrite', (transcripts) => void transcripts.put(kept));
  }

  /** @param {number} id */
  async remove(id) {
    await this.#do('readwrite', (transcripts, sounds) => {
      transcripts.delete(id);
      sounds.delete(id);
    });
  }
}
