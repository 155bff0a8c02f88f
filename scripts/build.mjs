// `npm run build`: installs what is missing, then builds the native addon and the TypeScript.

import { runMain } from './lib/run.mjs';
import { setUp } from './lib/setup.mjs';

await runMain(async () => {
  await setUp();
  return 0;
});
