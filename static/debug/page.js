import { RNNTDebugTools } from './tools.js';

const tools = new RNNTDebugTools().init(document.getElementById('tools') ?? undefined);
Object.assign(globalThis, { tools, RNNTDebugTools });
document.documentElement.dataset.ready = 'true';
