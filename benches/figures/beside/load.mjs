// Loads rows by jsforce, as programs do: JSON lines in, one bulk job an object. Prints what that took, as JSON.
//   node load.mjs ORG TOKEN Contact=contacts.jsonl Case=cases.jsonl
import { readFileSync } from 'node:fs';
import jsforce from 'jsforce';

const [org, token, ...files] = process.argv.slice(2);
const conn = new jsforce.Connection({ instanceUrl: org, accessToken: token, version: '60.0' });
conn.bulk2.pollInterval = 500;
conn.bulk2.pollTimeout = 3_600_000;
let rows = 0;
for (const file of files) {
  const [object, path] = file.split('=');
  const input = readFileSync(path, 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line));
  const results = await conn.bulk2.loadAndWaitForResults({ object, operation: 'insert', input });
  rows += results.successfulResults.length;
}
const used = process.resourceUsage();
const processor = (used.userCPUTime + used.systemCPUTime) / 1e6;
console.log(JSON.stringify({ rows, processor, peak: used.maxRSS / 1024 }));
