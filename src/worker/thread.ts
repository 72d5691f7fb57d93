import { parentPort } from 'node:worker_threads';
import { serveTasks } from './steps/serve-tasks.ts';
import { runTask } from './steps/tasks.ts';

if (!parentPort) throw new Error('thread.ts runs as a worker thread only');
serveTasks(parentPort, runTask);
