import { readFileSync } from 'node:fs';

/** Name and version as every output carries them. */
export const program = 'Landscribe';
export const { version } = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
) as { version: string };
