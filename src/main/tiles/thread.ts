import { parentPort } from 'node:worker_threads';
import { serveTasks } from '../../worker/steps/serve-tasks.ts';
import { tileTasks } from './tile-tasks.ts';

if (!parentPort) throw new Error('thread.ts runs as a worker thread only');
serveTasks(parentPort, tileTasks());
