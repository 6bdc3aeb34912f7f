// `npm run build [-- --force]`: installs what is missing, then compiles the server and the client library's types; the
// tests and benchmarks, too, where their tools are installed.
import { build, hasInstalled, install } from './prepare.mjs';

const force = process.argv.includes('--force');
install({ tools: false });
if (hasInstalled({ tools: true })) build('tests', { force });
else for (const target of ['server', 'client']) build(target, { force });
