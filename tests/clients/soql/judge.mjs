// Another parser's opinion on the queries that the local org takes and refuses. Where the two differ, the line of the
// query says so: a difference that is not noted, and one that is noted and gone, fail.
import { readFileSync } from 'node:fs';
import { isQueryValid } from '@jetstreamapp/soql-parser-js';

let wrong = 0;
let judged = 0;
let differ = 0;
for (const line of readFileSync(process.argv[2], 'utf8').split('\n')) {
  const match = /^([+-])(!?) (.*)$/.exec(line) ?? /^([+-])(!?)()$/.exec(line);
  if (!match) continue;
  const [, sign, noted, query] = match;
  let valid = false;
  try {
    valid = isQueryValid(query, { allowApexBindVariables: false });
  } catch {
    valid = false;
  }
  judged += 1;
  const other = valid !== (sign === '+');
  differ += other ? 1 : 0;
  if (other !== (noted === '!')) {
    wrong += 1;
    console.log(`${other ? 'differs and is not noted' : 'is noted and does not differ'}: ${line}`);
  }
}
console.log(`${judged} queries judged, ${differ} of them otherwise than by the org, as noted`);
process.exit(wrong || !judged ? 1 : 0);
