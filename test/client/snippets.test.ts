import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { snippets } from '#static/demo/snippets.js';

const config = { silence_duration: 0.8, hotwords: [{ phrase: "it's", boost: 4 }] };
const codeOf = (origin: string, guarded: boolean) =>
  new Map(
    snippets({ origin, guarded, config }).map(({ id, note, blocks }) => [
      id,
      [note, ...blocks.map(({ code }) => code)].join('\n'),
    ]),
  );

describe('the code of the settings', () => {
  it('has every client and SDK, each with the server’s own address', () => {
    const code = codeOf('https://speech.example', false);
    assert.deepEqual([...code.keys()], ['javascript', 'python', 'curl', 'deepgram', 'openai', 'assemblyai']);
    assert.ok([...code.values()].every((text) => text.includes('://speech.example')));
    assert.match(code.get('javascript') ?? '', /url: 'wss:\/\/speech\.example\/ws\/transcribe'/);
    assert.match(code.get('openai') ?? '', /base_url="https:\/\/speech\.example\/v1"/);
    assert.match(code.get('assemblyai') ?? '', /websocketBaseUrl: "wss:\/\/speech\.example\/v3\/ws"/);
  });

  it('carries the settings over in each vendor’s own words and units', () => {
    const code = codeOf('http://localhost:8000', false);
    assert.match(
      code.get('javascript') ?? '',
      /silence_duration: 0\.8,\n {2}hotwords: \[\{phrase: "it's",boost: 4\}\]/,
    );
    assert.match(code.get('deepgram') ?? '', /endpointing: 800,\n {2}keyterm: \["it's"\]/);
    assert.match(code.get('assemblyai') ?? '', /minTurnSilence: 800,\n {2}keytermsPrompt: \["it's"\]/);
    // In single quotes of a shell.
    assert.match(code.get('curl') ?? '', /hotwords=it%27s%3A4'/);
    assert.match(code.get('assemblyai') ?? '', /takes wss addresses only/);
  });

  it('names the place of a token where the server wants one, and a key that is not empty elsewhere', () => {
    for (const [id, text] of codeOf('http://localhost:8000', true)) assert.match(text, /YOUR_TOKEN/, id);
    for (const [id, text] of codeOf('http://localhost:8000', false))
      assert.doesNotMatch(text, /YOUR_TOKEN|''/, id);
  });
});
