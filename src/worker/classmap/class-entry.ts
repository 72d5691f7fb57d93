/** One class of a run, as prompts, class map, layers and legends share it. */
export interface ClassEntry {
  /** 1-based; 0 is unclassified or nodata. */
  id: number;
  name: string;
  /** The words whose best score is the class's score; the first is usually the name. */
  words: string[];
  /** `#rrggbb`. */
  colour: string;
}
