import { build, prepare } from './prepare.mjs';

prepare();
build({ force: process.argv.includes('--force') });
