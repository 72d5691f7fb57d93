import type { Pack } from '../../worker/pack/open-pack.ts';
import { upsampleAsked } from '../../worker/pack/upsampler.ts';
import type { Modality, RadarPreparation } from '../../worker/steps/radar-preparation.ts';
import type { SegmentRequest } from './segment-request.ts';

/**
 * Settings of the scorers with the pack's own where the request leaves them open; a pack without an encoder for SAR looks
 * with its optical one. Throws `Problem`.
 */
export function scoringOf(request: SegmentRequest, pack: Pack, modality: Modality = 'optical') {
  const { encoders, upsampler } = pack.manifest;
  const upsample = upsampleAsked(request.upsampler, pack.manifest) ?? upsampler !== null;
  const sees = modality === 'sar' && encoders.sar ? ('sar' as const) : ('optical' as const);
  const encoder = encoders[sees] ?? encoders.optical;
  return {
    modality: sees,
    attention: request.attention ?? (encoder.attention as NonNullable<SegmentRequest['attention']>),
    lastLayers: request.lastLayers ?? encoder.lastLayers,
    lambda: request.lambda,
    upsample,
  };
}

/** What the person who watches should know of how a scene is looked at; of optical scenes what is odd alone. */
export function preparationNotes(
  { modality, reason, warning }: RadarPreparation,
  scoring: ReturnType<typeof scoringOf>,
  pack: Pack,
): string[] {
  const odd = warning === null ? [] : [`warning: ${warning}.`];
  if (modality === 'optical') return reason.startsWith('Optical') ? odd : [reason, ...odd];
  return [reason, ...odd, encoderNote(scoring, pack)];
}

/** Which encoder looks at a radar scene. */
export function encoderNote(scoring: ReturnType<typeof scoringOf>, pack: Pack): string {
  const { name } = pack.manifest;
  return scoring.modality === 'sar'
    ? `Encoder for SAR of ${name}: ${scoring.attention} attention in the last ${scoring.lastLayers === 1 ? 'layer' : `${scoring.lastLayers} layers`}.`
    : `warning: pack ${name} has no encoder for SAR; it looks with its optical one, which has not learnt radar.`;
}
