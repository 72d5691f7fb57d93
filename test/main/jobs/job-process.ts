/** A second process that works off the jobs of a project: `FILE`. Says where it is, and does not end by itself early. */
import { JobQueue } from '../../../src/main/jobs/job-queue.ts';
import { segmentJob } from '../../../src/main/jobs/segment-job.ts';
import { ProjectStore } from '../../../src/main/project/project-store.ts';

const store = await ProjectStore.open(process.argv[2]!);
const queue = new JobQueue(store, { segment: segmentJob(store) });
for (const job of queue.jobs()) if (job.resumable) queue.resume(job.id);
queue.start();
await queue.idle();
for (const { state, problem } of queue.jobs()) console.log(state, problem?.message ?? '');
store.close();
