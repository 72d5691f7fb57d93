/** Drawn on a grid of 16, one stroke. */
const paths = {
  open: 'M2 4h4l1.5 2H14v7H2z',
  pan: 'M8 2v12M2 8h12M8 2l-2 2M8 2l2 2M8 14l-2-2M8 14l2-2M2 8l2-2M2 8l2 2M14 8l-2-2M14 8l-2 2',
  zoomIn: 'M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9M10.5 10.5 14 14M7 5v4M5 7h4',
  zoomOut: 'M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9M10.5 10.5 14 14M5 7h4',
  full: 'M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4',
  identify: 'M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8M8 7v4M8 4.6v.6',
  measure: 'M1.5 11 11 1.5 14.5 5 5 14.5zM4.5 8l1.5 1.5M7 5.5 8.5 7M9.5 3l1.5 1.5',
  select: 'M3 2l9 5-4 1.2L6 12z',
  newView: 'M2 3h12v10H2zM8 3v10',
  link: 'M6.5 9.5l3-3M7 4.5 8.5 3a3 3 0 0 1 4.5 4.5L11.5 9M9 11.5 7.5 13A3 3 0 0 1 3 8.5L4.5 7',
  swipe: 'M8 2v12M5 5 2.5 8 5 11M11 5l2.5 3L11 11',
  eye: 'M1.5 8S4 3.5 8 3.5 14.5 8 14.5 8 12 12.5 8 12.5 1.5 8 1.5 8M8 6a2 2 0 1 0 0 4 2 2 0 0 0 0-4',
  eyeOff:
    'M2 2l12 12M6 4c.6-.3 1.300-.5 2-.5 4 0 6.500 4.500 6.500 4.500s-.6 1.100-1.700 2.200M10.500 12c-.8.3-1.600.5-2.500.5-4 0-6.500-4.500-6.500-4.500S2.300 6.500 4 5.200',
  plus: 'M8 3v10M3 8h10',
  close: 'M4 4l8 8M12 4l-8 8',
  split: 'M3 13 13 3M2.500 2.500h11v11h-11z',
  box: 'M2.500 4.500h11v7h-11z',
  undo: 'M6 3 3 6l3 3M3 6h6a4 4 0 0 1 0 8H6',
  redo: 'M10 3l3 3-3 3M13 6H7a4 4 0 0 0 0 8h3',
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg
      viewBox="0 0 16 16"
      width="16"
      height="16"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.3"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d={paths[name]} />
    </svg>
  );
}
