// Installs what is missing, including the tools of tests and linter; run first by npm run lint, format and typecheck.
import { install } from './prepare.mjs';

install();
