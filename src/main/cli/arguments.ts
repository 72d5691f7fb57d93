import { InvalidArgumentError } from 'commander';

/** Turns option texts into values; each throws what commander reports as a usage error. */

export function wholeNumber(least: number, most = Number.POSITIVE_INFINITY): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isInteger(value) || value < least || value > most) {
      throw new InvalidArgumentError(
        `Give a whole number ${Number.isFinite(most) ? `from ${least} to ${most}` : `of at least ${least}`}.`,
      );
    }
    return value;
  };
}

export function decimal(
  least = Number.NEGATIVE_INFINITY,
  most = Number.POSITIVE_INFINITY,
): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isFinite(value) || value < least || value > most) {
      const range = Number.isFinite(most)
        ? ` from ${least} to ${most}`
        : Number.isFinite(least)
          ? ` of at least ${least}`
          : '';
      throw new InvalidArgumentError(`Give a number${range}.`);
    }
    return value;
  };
}

const memoryUnits: Record<string, number> = {
  '': 1e6,
  m: 1e6,
  mb: 1e6,
  g: 1e9,
  gb: 1e9,
  mib: 2 ** 20,
  gib: 2 ** 30,
};

/** Bytes of `4GB`, `1500MB`, or a number of megabytes. */
export function memorySize(text: string): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(text);
  const unit = match ? memoryUnits[match[2]!.toLowerCase()] : undefined;
  if (!match || unit === undefined) throw new InvalidArgumentError('Give a size such as 4GB or 1500MB.');
  const bytes = Number(match[1]) * unit;
  if (bytes < 256e6) throw new InvalidArgumentError('At least 256MB are needed.');
  return bytes;
}

/** Numbers from 0 of `1,2,4`. */
export function wholeNumbers(text: string): number[] {
  return text.split(',').map(wholeNumber(0));
}

/** Band numbers of `4,3,2`. */
export function bandList(text: string): number[] {
  const bands = text.split(',').map(wholeNumber(1));
  if (bands.length !== 1 && bands.length !== 3) {
    throw new InvalidArgumentError('Give one band or three, such as 4,3,2.');
  }
  return bands;
}

/** Places of `name=x,y;x,y`, added to those given before. */
export function examplePlaces(
  text: string,
  before: Record<string, [number, number][]>,
): Record<string, [number, number][]> {
  const [name, places] = [text.slice(0, text.indexOf('=')).trim(), text.slice(text.indexOf('=') + 1)];
  const points = places
    .split(';')
    .map((place) => place.split(',').map((value) => (value.trim() === '' ? Number.NaN : Number(value))));
  const whole = (point: number[]): point is [number, number] =>
    point.length === 2 && point.every(Number.isFinite);
  if (!text.includes('=') || name === '' || !points.every(whole))
    throw new InvalidArgumentError('Give a name and a place, such as pool=356120,5645310.');
  return { ...before, [name]: [...(Object.hasOwn(before, name) ? before[name]! : []), ...points] };
}

export function resolutionOf(text: string): number | 'native' {
  if (text === 'native') return text;
  const value = Number(text);
  if (!(value > 0) || !Number.isFinite(value))
    throw new InvalidArgumentError('Give metres per pixel, or native.');
  return value;
}

export type ExtentArgument = { unit: 'crs' | 'pixels'; box: [number, number, number, number] };

/** `XMIN,YMIN,XMAX,YMAX` in the scene's CRS, or `pixels:COLUMN,ROW,WIDTH,HEIGHT`. */
export function extentOf(text: string): ExtentArgument {
  const unit = text.startsWith('pixels:') ? 'pixels' : 'crs';
  const box = text
    .replace(/^pixels:/, '')
    .split(',')
    .map(decimal()) as [number, number, number, number];
  if (box.length !== 4) throw new InvalidArgumentError('Give four numbers: XMIN,YMIN,XMAX,YMAX.');
  if (
    unit === 'pixels' &&
    box.some((value, index) => !Number.isInteger(value) || value < (index < 2 ? 0 : 1))
  ) {
    throw new InvalidArgumentError('Give pixels:COLUMN,ROW,WIDTH,HEIGHT in whole pixels.');
  }
  if (unit === 'crs' && (box[0] >= box[2] || box[1] >= box[3])) {
    throw new InvalidArgumentError('XMIN must be below XMAX, and YMIN below YMAX.');
  }
  return { unit, box };
}

/** One number, a list in the order of the classes, or `road=0.4,water=0.2`. */
export function thresholdOf(text: string): number | number[] | Record<string, number> {
  const parts = text.split(',');
  const fraction = decimal(0, 1);
  if (parts.every((part) => part.includes('='))) {
    return Object.fromEntries(
      parts.map((part) => {
        const at = part.lastIndexOf('=');
        return [part.slice(0, at).trim(), fraction(part.slice(at + 1))];
      }),
    );
  }
  return parts.length === 1 ? fraction(text) : parts.map(fraction);
}

/** `2x3`: range and azimuth. */
export function multilookOf(text: string): { range: number; azimuth: number } {
  const match = /^\s*(\d{1,2})\s*[x×]\s*(\d{1,2})\s*$/.exec(text);
  const [range, azimuth] = [Number(match?.[1]), Number(match?.[2])];
  if (!(range >= 1 && range <= 64 && azimuth >= 1 && azimuth <= 64))
    throw new InvalidArgumentError('Give two counts from 1 to 64, such as 2x2.');
  return { range, azimuth };
}
