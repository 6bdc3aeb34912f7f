/** The chosen source of the audio. */
import { byId } from './page.js';

/** @typedef {'microphone' | 'file' | 'sample'} Source */

export class Picker {
  /** @type {Source} */
  source = 'microphone';
  /** @type {File | null} */
  file = null;
  #device = /** @type {HTMLSelectElement} */ (byId('device'));
  /** The user has allowed a microphone; browsers name devices only to such pages. */
  permitted = false;

  /** @param {() => void} onChange Another source or device was chosen, or what there is to choose from has changed. */
  constructor(onChange) {
    this.onChange = onChange;
    this.#device.addEventListener('change', () => onChange());
    const input = /** @type {HTMLInputElement} */ (byId('file'));
    input.addEventListener('change', () => input.files?.[0] && this.chooseFile(input.files[0]));
    byId('sources').addEventListener('change', (event) => {
      this.choose(/** @type {Source} */ (/** @type {HTMLInputElement} */ (event.target).value));
    });
    navigator.mediaDevices?.addEventListener?.('devicechange', () => this.listDevices());
    void this.listDevices();
    this.choose('microphone');
  }

  /** Of the microphone; empty for the default one. */
  get deviceId() {
    return this.#device.value;
  }

  /** @param {Source} source */
  choose(source) {
    this.source = source;
    const input = document.querySelector(`#sources input[value="${source}"]`);
    if (input) /** @type {HTMLInputElement} */ (input).checked = true;
    for (const node of document.querySelectorAll('[data-for]')) {
      const element = /** @type {HTMLElement} */ (node);
      element.hidden = !element.dataset.for?.split(' ').includes(source);
    }
    this.onChange();
  }

  /** @param {File} file */
  chooseFile(file) {
    this.file = file;
    byId('file-name').textContent = file.name;
    this.choose('file');
  }

  async listDevices() {
    const all = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
    const devices = all.filter(({ kind, label }) => kind === 'audioinput' && label !== '');
    const chosen = this.deviceId;
    this.#device.replaceChildren(
      new Option('Default microphone', ''),
      ...devices
        .filter(({ deviceId }) => deviceId !== 'default')
        .map(({ label, deviceId }) => new Option(label, deviceId)),
    );
    this.#device.value = devices.some(({ deviceId }) => deviceId === chosen) ? chosen : '';
    this.permitted = devices.length > 0;
    this.onChange();
  }
}
