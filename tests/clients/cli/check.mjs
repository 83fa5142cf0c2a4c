// The vendor's own command line against the local org. Each command is a process of its own; SF_BIN says which program,
// the folder HOME is thrown away afterwards. The address and the credentials come from the environment, as
// examples/local_org.rs prints them.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const url = process.env.SALESFORCE_URL;
const home = mkdtempSync(join(tmpdir(), 'sf-home-'));
const work = join(home, 'project');
mkdirSync(work, { recursive: true });
const env = {
  ...process.env, HOME: home, SF_DISABLE_TELEMETRY: 'true', SF_SKIP_NEW_VERSION_CHECK: 'true', SF_AUTOUPDATE_DISABLE: 'true',
  SF_USE_GENERIC_UNIX_KEYCHAIN: 'true', SF_ACCESS_TOKEN: process.env.SALESFORCE_ACCESS_TOKEN, SF_ORG_API_VERSION: '60.0',
};

function sf(args, more = {}) {
  return new Promise((done, refuse) => {
    execFile(process.execPath, [process.env.SF_BIN, ...args, '--json'], { cwd: work, env: { ...env, ...more }, maxBuffer: 64 << 20 }, (error, out, err) => {
      let answer;
      try {
        answer = JSON.parse(out);
      } catch {
        refuse(new Error(`sf ${args.join(' ')}: ${out}\n${err}`));
        return;
      }
      if (error) {
        const refused = new Error(`sf ${args.join(' ')}: ${answer.name}: ${answer.message} ${JSON.stringify(answer.data ?? answer.result ?? '').slice(0, 2000)}`);
        refused.answer = answer;
        refuse(refused);
      } else {
        done(answer.result);
      }
    });
  });
}

const org = ['--target-org', 'local'];
const checks = [];
const check = (name, step) => checks.push([name, step]);

check('logs in with a token and by assertion', async () => {
  const auth = await sf(['org', 'login', 'access-token', '--instance-url', url, '--alias', 'local', '--no-prompt']);
  assert.match(auth.orgId, /^00D/);
  const jwt = await sf(['org', 'login', 'jwt', '--client-id', process.env.SALESFORCE_CLIENT_ID, '--jwt-key-file',
    process.env.SALESFORCE_JWT_KEY, '--username', process.env.SALESFORCE_USERNAME, '--instance-url', url, '--alias', 'local']);
  assert.equal(jwt.orgId, auth.orgId);
  const shown = await sf(['org', 'display', '--target-org', 'local']);
  assert.equal(shown.connectedStatus, 'Connected');
});

check('deploys a field and an object, by SOAP and by REST', async () => {
  writeFileSync(join(work, 'sfdx-project.json'), JSON.stringify({ packageDirectories: [{ path: 'force-app', default: true }], sourceApiVersion: '60.0' }));
  const objects = join(work, 'force-app/main/default/objects');
  const file = (path, content) => {
    mkdirSync(join(objects, path, '..'), { recursive: true });
    writeFileSync(join(objects, path), `<?xml version="1.0" encoding="UTF-8"?>\n${content}`);
  };
  const xmlns = 'xmlns="http://soap.sforce.com/2006/04/metadata"';
  file('Case/fields/Ext_Id__c.field-meta.xml', `<CustomField ${xmlns}><fullName>Ext_Id__c</fullName><label>Ext Id</label><type>Text</type><length>80</length><externalId>true</externalId><unique>true</unique><caseSensitive>true</caseSensitive></CustomField>`);
  const first = await sf(['project', 'deploy', 'start', ...org, '--source-dir', 'force-app', '--wait', '5']);
  assert.equal(first.success, true);
  file('Meter__c/Meter__c.object-meta.xml', `<CustomObject ${xmlns}><label>Meter</label><pluralLabel>Meters</pluralLabel><deploymentStatus>Deployed</deploymentStatus><sharingModel>ReadWrite</sharingModel><nameField><label>Name</label><type>Text</type></nameField></CustomObject>`);
  file('Meter__c/fields/Reading__c.field-meta.xml', `<CustomField ${xmlns}><fullName>Reading__c</fullName><label>Reading</label><type>Number</type><precision>12</precision><scale>3</scale></CustomField>`);
  const second = await sf(['project', 'deploy', 'start', ...org, '--source-dir', 'force-app', '--wait', '5'], { SF_ORG_METADATA_REST_DEPLOY: 'true' });
  assert.equal(second.success, true);
  const described = await sf(['sobject', 'describe', ...org, '--sobject', 'Meter__c']);
  assert.ok(described.fields.some((f) => f.name === 'Reading__c' && f.scale === 3));
  file('Case/fields/Broken__c.field-meta.xml', `<CustomField ${xmlns}><fullName>Broken__c</fullName><label>Broken</label><type>Text</type></CustomField>`);
  await assert.rejects(sf(['project', 'deploy', 'start', ...org, '--source-dir', 'force-app', '--wait', '5']), (e) => e.message.includes('length'));
});

check('describes and lists', async () => {
  const described = await sf(['sobject', 'describe', ...org, '--sobject', 'Case']);
  assert.ok(described.fields.some((f) => f.name === 'Ext_Id__c' && f.externalId));
  const listed = await sf(['sobject', 'list', ...org, '--sobject', 'all']);
  assert.ok(listed.includes('EmailMessage') && listed.includes('Meter__c'));
});

check('single records', async () => {
  const made = await sf(['data', 'create', 'record', ...org, '--sobject', 'Case', '--values', "Subject='one two'"]);
  await sf(['data', 'update', 'record', ...org, '--sobject', 'Case', '--record-id', made.id, '--values', "Subject='three'"]);
  const read = await sf(['data', 'get', 'record', ...org, '--sobject', 'Case', '--record-id', made.id]);
  assert.equal(read.Subject, 'three');
  await sf(['data', 'delete', 'record', ...org, '--sobject', 'Case', '--record-id', made.id]);
  await assert.rejects(sf(['data', 'get', 'record', ...org, '--sobject', 'Case', '--record-id', made.id]));
});

check('a tree, and queries over it', async () => {
  writeFileSync(join(work, 'tree.json'), JSON.stringify({ records: [{
    attributes: { type: 'Account', referenceId: 'r1' }, Name: 'Tree',
    Contacts: { records: [{ attributes: { type: 'Contact', referenceId: 'r2' }, LastName: 'Leaf' }] },
  }] }));
  const made = await sf(['data', 'import', 'tree', ...org, '--files', 'tree.json']);
  assert.ok(made.length >= 2);
  const below = await sf(['data', 'query', ...org, '--query', "SELECT Name, (SELECT LastName FROM Contacts) FROM Account WHERE Name = 'Tree'"]);
  assert.equal(below.records[0].Contacts.records[0].LastName, 'Leaf');
  const up = await sf(['data', 'query', ...org, '--query', 'SELECT LastName, Account.Name FROM Contact']);
  assert.equal(up.records[0].Account.Name, 'Tree');
  const grouped = await sf(['data', 'query', ...org, '--query', 'SELECT Account.Name, COUNT(Id) n FROM Contact GROUP BY Account.Name']);
  assert.equal(grouped.records[0].n, 1);
  await assert.rejects(sf(['data', 'query', ...org, '--query', 'SELECT Nothing__c FROM Case']), (e) => e.message.includes('INVALID_FIELD'));
});

check('bulk upsert with all result sets, results later, export', async () => {
  writeFileSync(join(work, 'cases.csv'), 'Ext_Id__c,Subject\nA/1 ä,hello\nA2,"quo""te, x\nsecond line"\n');
  const done = await sf(['data', 'upsert', 'bulk', ...org, '--sobject', 'Case', '--file', 'cases.csv', '--external-id', 'Ext_Id__c', '--wait', '2']);
  assert.equal(done.jobInfo.numberRecordsFailed, 0);
  assert.equal(done.records.successfulResults.length, 2);
  const later = await sf(['data', 'bulk', 'results', ...org, '--job-id', done.jobInfo.id]);
  assert.equal(later.successfulRecords, 2);
  const exported = await sf(['data', 'export', 'bulk', ...org, '--query', 'SELECT Ext_Id__c, Subject FROM Case', '--output-file', 'out.csv', '--wait', '2']);
  assert.equal(exported.totalSize, 2);
  assert.ok(readFileSync(join(work, 'out.csv'), 'utf8').includes('second line'));
});

check('a file of 30 MB', async () => {
  const bytes = randomBytes(30 * 1024 * 1024);
  writeFileSync(join(work, 'big.bin'), bytes);
  const found = await sf(['data', 'query', ...org, '--query', "SELECT Id FROM Case WHERE Ext_Id__c = 'A2'"]);
  const parent = found.records[0].Id;
  const made = await sf(['data', 'create', 'file', ...org, '--file', 'big.bin', '--parent-id', parent]);
  const row = await sf(['data', 'query', ...org, '--query', `SELECT ContentSize, Checksum FROM ContentVersion WHERE ContentDocumentId = '${made.ContentDocumentId}'`]);
  assert.deepEqual([row.records[0].ContentSize, row.records[0].Checksum], [bytes.length, createHash('md5').update(bytes).digest('hex')]);
  const links = await sf(['data', 'query', ...org, '--query', `SELECT Id FROM ContentDocumentLink WHERE LinkedEntityId = '${parent}'`]);
  assert.equal(links.totalSize, 1);
});

check('limits', async () => {
  const limits = await sf(['limits', 'api', 'display', ...org]);
  assert.ok(limits.some((row) => row.name === 'DailyApiRequests' && row.max > 0));
});

let failed = 0;
for (const [name, step] of checks) {
  const begun = Date.now();
  try {
    await step();
    console.log(`ok      ${name} (${Date.now() - begun} ms)`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}\n${error.stack}`);
  }
}
process.exit(failed ? 1 : 0);
