/**
 * Shifts to WGS 84 of datums that the register describes by grid files alone, which the program does not bring. Three or
 * seven parameters as `+towgs84` takes them (metres, arc seconds, parts per million; rotations by position vector) and how
 * well they agree with the grid, metres; from the EPSG dataset, by the codes beside them. Datums without parameters of their
 * own take those of the datum that they were computed from.
 */
const shifts: Record<string, { parameters: string; accuracy: number }> = {
  // 1314
  OSGB36: { parameters: '446.448,-125.157,542.06,0.15,0.247,0.842,-20.489', accuracy: 2 },
  // 1777
  DHDN: { parameters: '598.1,73.7,418.2,0.202,0.045,-2.455,6.7', accuracy: 3 },
  // 15868
  'RD/83': { parameters: '612.4,77,440.2,-0.054,0.057,-2.797,2.55', accuracy: 1 },
  // 15867
  'PD/83': { parameters: '599.4,72.4,419.2,-0.062,-0.022,-2.723,6.46', accuracy: 1 },
  // 1173: the contiguous states
  NAD27: { parameters: '-8,160,176', accuracy: 20 },
  // 1172: Canada
  'NAD27(76)': { parameters: '-10,158,187', accuracy: 20 },
  'NAD27(CGQ77)': { parameters: '-10,158,187', accuracy: 20 },
  // 1669
  AGD84: { parameters: '-117.763,-51.51,139.061,0.292,0.443,0.277,-0.191', accuracy: 3 },
  // 6192
  'Corrego Alegre 1970-72': { parameters: '-205.57,168.77,-4.12', accuracy: 5 },
  'Corrego Alegre 1961': { parameters: '-205.57,168.77,-4.12', accuracy: 10 },
  // 1564
  NZGD49: { parameters: '59.47,-5.04,187.44,0.47,-0.1,1.024,-4.5993', accuracy: 4 },
};

const gridFile = /\+nadgrids=(?:"[^"]*"|\S+)/;

/** Datum of a system's name in the register: `OSGB36 / British National Grid`. */
function shiftOf(name: string) {
  const datum = name.split(' / ')[0]!;
  return Object.hasOwn(shifts, datum) ? shifts[datum]! : null;
}

/** proj4's definition of a system of the register with parameters in place of a grid file, where there are any. */
export function withParameters(name: string, definition: string): string {
  const shift = definition.includes('+nadgrids=@null') ? null : shiftOf(name);
  return shift === null ? definition : definition.replace(gridFile, `+towgs84=${shift.parameters}`);
}

/** Metres within which longitudes and latitudes are known that come of such parameters; null: they are not needed. */
export function shiftAccuracy({ name, proj4 }: { name: string; proj4: string | null }): number | null {
  const shift = shiftOf(name);
  return shift !== null && proj4?.includes(`+towgs84=${shift.parameters} `) ? shift.accuracy : null;
}
