import type { ContractRouterClient } from '@orpc/contract';
import * as z from 'zod';
import { call } from './base.ts';
import { events } from './events.ts';
import { jobs } from './jobs.ts';
import { layers } from './layers.ts';
import { packs } from './packs.ts';
import { places } from './places.ts';
import { project } from './project.ts';
import { prompts } from './prompts.ts';
import { runs } from './runs.ts';
import { scenes } from './scenes.ts';
import { systems } from './systems.ts';

/** Every call and event between screen and host, once. Pixels, tiles and columns go by `addresses.ts`. */
export const contract = {
  about: call.output(
    z.object({
      name: z.string(),
      version: z.string(),
      door: z.enum(['electron', 'browser']),
      cores: z.int(),
    }),
  ),
  project,
  scenes,
  prompts,
  runs,
  jobs,
  layers,
  packs,
  places,
  systems,
  events,
};

/** The host as the screen sees it. */
export type Host = ContractRouterClient<typeof contract>;
