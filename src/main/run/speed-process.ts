import { toRecord } from '../../worker/report/problem-record.ts';
import { measureSpeed, type SpeedRequest } from '../../worker/steps/measure-speed.ts';

// A process to be thrown away: a provider whose library or driver is broken may take the whole process with it.
process.once('message', (request: SpeedRequest) => {
  measureSpeed(request).then(
    (speed) => process.send?.({ speed }, () => process.disconnect()),
    (error: unknown) => process.send?.({ problem: toRecord(error) }, () => process.disconnect()),
  );
});
