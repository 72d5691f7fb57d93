/** What GDAL's XML metadata tag says about a file's bands, by 0-based sample. */
export interface BandMetadata {
  names: Map<number, string>;
  /** GDAL's colour interpretation in lower case: `red`, `alpha`, `undefined`, … */
  interpretations: Map<number, string>;
  /** Bands whose samples mean value · scale + offset. */
  scaled: number[];
}

const colourRoles: Record<string, string> = {
  red: 'red',
  green: 'green',
  blue: 'blue',
  alpha: 'alpha',
  nir: 'near-infrared',
  'near infrared': 'near-infrared',
  'near-infrared': 'near-infrared',
};

/** The role that a band's name gives away: `Red`, `nir`, `VV`; null for any other name. */
export function roleOfName(name: string): string | null {
  const word = name.trim().toLowerCase();
  if (/^(vv|vh|hh|hv)$/.test(word)) return word.toUpperCase();
  return colourRoles[word] ?? null;
}

/** Parses the GDAL_METADATA tag; unknown items are left alone. */
export function parseBandMetadata(xml: string): BandMetadata {
  const result: BandMetadata = { names: new Map(), interpretations: new Map(), scaled: [] };
  for (const match of xml.matchAll(/<Item\s+([^<>]{0,400})>([^<]{0,2000})<\/Item>/g)) {
    const attributes = match[1]!;
    const sample = /\bsample="(\d{1,5})"/.exec(attributes)?.[1];
    if (sample === undefined) continue;
    const band = Number(sample);
    const role = /\brole="([^"]*)"/.exec(attributes)?.[1];
    const value = unescapeXml(match[2]!).trim();
    if (role === 'description' && value !== '') result.names.set(band, value);
    else if (role === 'colorinterp') result.interpretations.set(band, value.toLowerCase());
    else if ((role === 'scale' && Number(value) !== 1) || (role === 'offset' && Number(value) !== 0)) {
      if (!result.scaled.includes(band)) result.scaled.push(band);
    }
  }
  return result;
}

function unescapeXml(text: string): string {
  return text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&apos;', "'")
    .replaceAll('&amp;', '&');
}
