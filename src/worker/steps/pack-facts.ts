import type { Pack } from '../pack/open-pack.ts';
import type { PackFacts } from './conduct.ts';

/** What conductors are told of a pack. */
export function packFactsOf({ manifest, checksum }: Pack): PackFacts {
  const { name, finestResolution, normalisation } = manifest;
  return { name, checksum, finestResolution, ...normalisation };
}
