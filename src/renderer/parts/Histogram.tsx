/** Bars of equal width, scaled to the highest; the range kept is marked. */
export function Histogram({
  counts,
  from,
  to,
  label,
}: {
  counts: readonly number[];
  /** Shares of the width, 0-1. */
  from: number;
  to: number;
  label: string;
}) {
  const highest = Math.max(1, ...counts);
  const width = 100 / counts.length;
  return (
    <svg className="histogram" viewBox="0 0 100 30" preserveAspectRatio="none" role="img" aria-label={label}>
      {counts.map((count, i) => {
        const height = (Math.sqrt(count) / Math.sqrt(highest)) * 29;
        const centre = (i + 0.5) / counts.length;
        return (
          <rect
            // biome-ignore lint/suspicious/noArrayIndexKey: a bar is its place
            key={i}
            x={i * width}
            y={30 - height}
            width={width * 0.92}
            height={height}
            className={centre >= from && centre <= to ? 'kept' : ''}
          />
        );
      })}
    </svg>
  );
}
