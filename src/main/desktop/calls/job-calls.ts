import type { Desktop } from '../desktop.ts';
import { calls } from './base.ts';

export function jobCalls(desktop: Desktop) {
  return {
    list: calls.jobs.list.handler(() => (desktop.open ? desktop.jobs.list() : [])),
    cancel: calls.jobs.cancel.handler(({ input }) => desktop.jobs.queue.cancel(input.id)),
    resume: calls.jobs.resume.handler(({ input }) => desktop.jobs.queue.resume(input.id)),
    remove: calls.jobs.remove.handler(({ input }) => desktop.jobs.queue.remove(input.id)),
  };
}
