// Installs what is missing, tests' and linter's tools included; npm run lint, format and typecheck begin with it.
import { install } from './prepare.mjs';

install();
