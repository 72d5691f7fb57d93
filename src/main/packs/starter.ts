import { fileURLToPath } from 'node:url';

/** The pack that comes with the program: `models/starter`, two floors up from source and built code alike. */
export const starterPack = fileURLToPath(new URL('../../../models/starter', import.meta.url));
