import type { Job } from '../../main/rpc/jobs.ts';
import type { Text } from '../texts/catalogue.ts';

/** What a job is called on the screen. */
export function jobTitle({ kind, title, subject, out }: Job, text: Text): string {
  if (subject === null) return title;
  if (kind === 'export' && out !== null) return text('jobs.export', { name: subject, out });
  if (kind === 'install') return text('jobs.install', { name: subject });
  if (kind === 'encode') return text('jobs.encode', { name: subject });
  return subject;
}
