// `npm run build [-- --force]`: installs what is missing, then compiles what a package has: the server and the
// client library's types.
import { build, install } from './prepare.mjs';

const force = process.argv.includes('--force');
install({ tools: false });
build('server', { force });
build('client', { force });
