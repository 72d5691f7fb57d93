import { Problem } from '../report/problem.ts';

/** One meaning and the words for it. */
export interface Concept {
  readonly name: string;
  readonly words: readonly string[];
  /** Names of narrower concepts that this one covers; empty for the narrowest. */
  readonly covers: readonly string[];
}

const words = (text: string): string[] => text.split(',').map((word) => word.trim());

const concept = (name: string, list: string, covers: readonly string[] = []): Concept => ({
  name,
  words: words(list),
  covers,
});

/**
 * Land cover in English, seen from above. Words of one line mean the same to a map of land cover; a line that covers
 * others is their union, and is learnt from legends that do not tell them apart.
 */
export const concepts: readonly Concept[] = [
  concept(
    'building',
    'building, buildings, house, houses, roof, roofs, rooftop, home, residential building, apartment building, apartment block, ' +
      'block of flats, tower block, skyscraper, villa, cottage, hut, shed, barn, garage, warehouse, factory, factory building, ' +
      'industrial building, industrial hall, hangar, depot, office building, commercial building, shopping mall, school, hospital, ' +
      'church, mosque, hotel, shop, tin roof, metal roof, tiled roof, flat roof, building footprint, terraced house, detached house, dwelling',
  ),
  concept(
    'road',
    'road, roads, street, streets, highway, motorway, freeway, expressway, avenue, lane, alley, asphalt, asphalt road, paved road, ' +
      'dirt road, gravel road, track, dirt track, path, driveway, carriageway, main road, road network, crossroad, intersection, ' +
      'roundabout, bridge, tarmac',
  ),
  concept(
    'pavement',
    'pavement, parking lot, car park, parking, parking area, square, plaza, courtyard, concrete, concrete surface, paving, ' +
      'developed space, sidewalk, yard, loading area, apron, paved area',
  ),
  concept(
    'tree',
    'tree, trees, forest, forests, woodland, wood, woods, tree canopy, canopy, grove, orchard, deciduous forest, ' +
      'evergreen forest, coniferous forest, mixed forest, broadleaf trees, pine trees, palm, palm trees, palm grove, tree cover, ' +
      'treetops, jungle, rainforest',
  ),
  concept('shrub', 'shrub, shrubs, bush, bushes, hedge, hedges, shrubland, scrub, scrubland, thicket, heath'),
  concept(
    'grass',
    'grass, grassland, meadow, meadows, lawn, lawns, pasture, prairie, park, garden, golf course, turf, low vegetation, rangeland, ' +
      'steppe, savanna, green space, sports field, football pitch, herbaceous vegetation',
  ),
  concept(
    'cropland',
    'cropland, field, fields, farmland, farm, crop, crops, agricultural land, agriculture land, agricultural, agriculture, ' +
      'arable land, farm field, crop field, cultivated land, corn field, wheat field, ploughed field, plantation, paddy field, ' +
      'vineyard, irrigated field',
  ),
  concept(
    'bare soil',
    'bare soil, soil, bare land, bareland, barren, barren land, bare ground, dirt, earth, bare earth, mud, gravel, rock, rocks, ' +
      'bare rock, construction site, quarry, wasteland, clay',
  ),
  concept(
    'sand',
    'sand, desert, beach, dune, dunes, sand dunes, sandy beach, sandy ground, sandy soil, sandbank',
  ),
  concept(
    'water',
    'water, river, rivers, lake, lakes, pond, ponds, sea, ocean, stream, creek, canal, reservoir, harbour, harbor, bay, lagoon, ' +
      'water body, body of water, waterway, open water, surface water, seawater, swimming pool, pool, basin',
  ),
  concept(
    'wetland',
    'wetland, wetlands, marsh, swamp, bog, fen, flooded vegetation, mangrove, reed bed, floodplain, marshland',
  ),
  concept(
    'vegetation',
    'vegetation, plants, greenery, plant cover, green vegetation, vegetated area, green area',
    ['tree', 'shrub', 'grass', 'cropland', 'wetland'],
  ),
  concept('land', 'land, open land, ground, unpaved area, open ground, terrain, unpaved land, dry land', [
    'bare soil',
    'sand',
  ]),
  concept(
    'paved surface',
    'impervious surface, impervious surfaces, paved surface, sealed surface, sealed ground',
    ['road', 'pavement'],
  ),
  concept(
    'built-up',
    'built-up, built-up area, built area, urban area, urban, city, town, village, settlement, developed area, developed, ' +
      'residential area, industrial area, urban land, artificial surface',
    ['building', 'road', 'pavement'],
  ),
  concept(
    'background',
    'background, other, others, clutter, everything else, something else, unknown, nothing',
    [],
  ),
];

const places = new Map(concepts.map(({ name }, place) => [name, place]));

/** Place of a concept in `concepts`; throws `dataset/concept` for an unknown name. */
export function conceptPlace(name: string): number {
  const place = places.get(name);
  if (place !== undefined) return place;
  throw new Problem(
    'dataset/concept',
    `There is no concept "${name}".`,
    `Concepts are ${[...places.keys()].join(', ')}.`,
  );
}

/** Places of the concepts that cover no other, without the background. */
export const narrowConcepts: readonly number[] = concepts.flatMap(({ covers, name }, place) =>
  covers.length === 0 && name !== 'background' ? [place] : [],
);
