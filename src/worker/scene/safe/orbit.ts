/** Positions and velocities of the satellite: earth-fixed metres and metres per second at `times`, seconds since 1970. */
export interface Orbit {
  times: Float64Array;
  /** `[times, 3]`. */
  positions: Float64Array;
  velocities: Float64Array;
}

export const speedOfLight = 299_792_458;
const semiMajorAxis = 6_378_137;
const flattening = 1 / 298.257223563;
const semiMinorAxis = semiMajorAxis * (1 - flattening);
const eccentricitySquared = flattening * (2 - flattening);

/** Of the state vectors around a time, this many determine the polynomial through them. */
const vectorsUsed = 8;

/** Position and velocity at a time: Lagrange's polynomial through the eight nearest state vectors. */
function satelliteAt(orbit: Orbit, time: number): { position: Float64Array; velocity: Float64Array } {
  const { times, positions, velocities } = orbit;
  const used = Math.min(vectorsUsed, times.length);
  let first = 0;
  while (
    first + used < times.length &&
    Math.abs(times[first + used]! - time) < Math.abs(times[first]! - time)
  )
    first++;
  const position = new Float64Array(3);
  const velocity = new Float64Array(3);
  for (let node = first; node < first + used; node++) {
    let weight = 1;
    for (let other = first; other < first + used; other++)
      if (other !== node) weight *= (time - times[other]!) / (times[node]! - times[other]!);
    for (let axis = 0; axis < 3; axis++) {
      position[axis] = position[axis]! + weight * positions[node * 3 + axis]!;
      velocity[axis] = velocity[axis]! + weight * velocities[node * 3 + axis]!;
    }
  }
  return { position, velocity };
}

/**
 * Longitude and latitude (degrees, WGS 84) seen at zero Doppler at `time` and slant range `range` (metres), `height`
 * metres above the ellipsoid; `near` picks the side of the track. Null where orbit and range contradict each other. The range-Doppler equations (J. C. Curlander,
 * "Location of spaceborne SAR imagery", 1982) by Newton's method.
 */
export function rangeDoppler(
  orbit: Orbit,
  time: number,
  range: number,
  height: number,
  near: readonly [longitude: number, latitude: number],
): [longitude: number, latitude: number] | null {
  const { position, velocity } = satelliteAt(orbit, time);
  const point = toEarthFixed(near[0], near[1], height);
  const a = (semiMajorAxis + height) ** 2;
  const b = (semiMinorAxis + height) ** 2;
  for (let step = 0; step < 50; step++) {
    const dx = point[0]! - position[0]!;
    const dy = point[1]! - position[1]!;
    const dz = point[2]! - position[2]!;
    const offRange = dx * dx + dy * dy + dz * dz - range * range;
    const offDoppler = velocity[0]! * dx + velocity[1]! * dy + velocity[2]! * dz;
    const offHeight = (point[0]! ** 2 + point[1]! ** 2) / a + point[2]! ** 2 / b - 1;
    const move = solveThree(
      [2 * dx, 2 * dy, 2 * dz],
      [velocity[0]!, velocity[1]!, velocity[2]!],
      [(2 * point[0]!) / a, (2 * point[1]!) / a, (2 * point[2]!) / b],
      [offRange, offDoppler, offHeight],
    );
    let length = 0;
    for (let axis = 0; axis < 3; axis++) {
      point[axis] = point[axis]! - move[axis]!;
      length += move[axis]! ** 2;
    }
    if (length < 1e-8) return toGeodetic(point);
  }
  return null;
}

type Three = readonly [number, number, number];

/** Cramer's rule. */
function solveThree(p: Three, q: Three, r: Three, side: Three): [number, number, number] {
  const determinant = (a: Three, b: Three, c: Three): number =>
    a[0] * (b[1] * c[2] - b[2] * c[1]) -
    a[1] * (b[0] * c[2] - b[2] * c[0]) +
    a[2] * (b[0] * c[1] - b[1] * c[0]);
  const whole = determinant(p, q, r);
  const swap = (row: Three, axis: number, value: number): Three =>
    row.map((entry, index) => (index === axis ? value : entry)) as unknown as Three;
  return [0, 1, 2].map(
    (axis) => determinant(swap(p, axis, side[0]), swap(q, axis, side[1]), swap(r, axis, side[2])) / whole,
  ) as [number, number, number];
}

/** Earth-fixed coordinates, metres. */
export function toEarthFixed(longitude: number, latitude: number, height: number): Float64Array {
  const lambda = (longitude * Math.PI) / 180;
  const phi = (latitude * Math.PI) / 180;
  const normal = semiMajorAxis / Math.sqrt(1 - eccentricitySquared * Math.sin(phi) ** 2);
  return Float64Array.of(
    (normal + height) * Math.cos(phi) * Math.cos(lambda),
    (normal + height) * Math.cos(phi) * Math.sin(lambda),
    (normal * (1 - eccentricitySquared) + height) * Math.sin(phi),
  );
}

function toGeodetic(point: Float64Array): [number, number] {
  const [x, y, z] = [point[0]!, point[1]!, point[2]!];
  const across = Math.hypot(x, y);
  let phi = Math.atan2(z, across * (1 - eccentricitySquared));
  for (let step = 0; step < 10; step++) {
    const normal = semiMajorAxis / Math.sqrt(1 - eccentricitySquared * Math.sin(phi) ** 2);
    const height = across / Math.cos(phi) - normal;
    phi = Math.atan2(z, across * (1 - (eccentricitySquared * normal) / (normal + height)));
  }
  return [(Math.atan2(y, x) * 180) / Math.PI, (phi * 180) / Math.PI];
}
