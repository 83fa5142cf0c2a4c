// jsforce against the local org: logs in by every grant it has, and does with the org what programs do with one.
// The address and the credentials come from the environment, as examples/local_org.rs prints them.
import assert from 'node:assert/strict';
import { createHash, createSign, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import jsforce from 'jsforce';

const env = process.env;
const url = env.SALESFORCE_URL;
const version = '60.0';
const oauth2 = { loginUrl: url, clientId: env.SALESFORCE_CLIENT_ID, clientSecret: env.SALESFORCE_CLIENT_SECRET };
const checks = [];
const check = (name, work) => checks.push([name, work]);
let conn;

check('logs in by SOAP', async () => {
  const soap = new jsforce.Connection({ loginUrl: url, version });
  const user = await soap.login(env.SALESFORCE_USERNAME, env.SALESFORCE_PASSWORD + 'securitytoken');
  assert.match(user.id, /^005/);
  assert.match(user.organizationId, /^00D/);
  assert.equal(soap.instanceUrl, url);
  assert.equal((await soap.query('SELECT Id FROM User LIMIT 1')).totalSize, 1);
  await assert.rejects(new jsforce.Connection({ loginUrl: url }).login('nobody@example.org', 'x'), /INVALID_LOGIN/);
  await soap.logout();
});

check('logs in by password, client credentials, assertion, code and refresh token', async () => {
  const byPassword = new jsforce.Connection({ oauth2, version });
  await byPassword.login(env.SALESFORCE_USERNAME, env.SALESFORCE_PASSWORD);
  assert.equal((await byPassword.identity()).username, env.SALESFORCE_USERNAME);

  const byClient = new jsforce.Connection({ instanceUrl: url, oauth2, version });
  await byClient.authorize({ grant_type: 'client_credentials' });
  assert.match((await byClient.identity()).organization_id, /^00D/);

  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = {
    iss: oauth2.clientId, sub: env.SALESFORCE_USERNAME, aud: url, exp: Math.floor(Date.now() / 1000) + 180,
  };
  const signed = `${part({ alg: 'RS256' })}.${part(claims)}`;
  const signature = createSign('RSA-SHA256').update(signed).sign(readFileSync(env.SALESFORCE_JWT_KEY)).toString('base64url');
  const byAssertion = new jsforce.Connection({ instanceUrl: url, oauth2, version });
  await byAssertion.authorize({
    grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion: `${signed}.${signature}`,
  });
  assert.ok((await byAssertion.limits()).DailyApiRequests.Max > 0);

  const redirectUri = 'http://localhost:1717/OauthRedirect';
  const web = new jsforce.OAuth2({ ...oauth2, redirectUri });
  const answer = await fetch(web.getAuthorizationUrl({ scope: 'api refresh_token', state: 's 1' }), { redirect: 'manual' });
  assert.equal(answer.status, 302);
  const back = new URL(answer.headers.get('location'));
  assert.equal(back.searchParams.get('state'), 's 1');
  const byCode = new jsforce.Connection({ oauth2: { ...oauth2, redirectUri }, version });
  await byCode.authorize(back.searchParams.get('code'));
  assert.ok(byCode.refreshToken);
  // A token that is no longer valid is renewed, and the request sent again.
  byCode.accessToken = 'gone';
  let renewed = 0;
  byCode.on('refresh', () => { renewed += 1; });
  assert.ok((await byCode.query('SELECT COUNT() FROM User')).totalSize >= 1);
  assert.equal(renewed, 1);
});

check('deploys a field, an object and its fields', async () => {
  conn = new jsforce.Connection({ instanceUrl: url, accessToken: env.SALESFORCE_ACCESS_TOKEN, version });
  const key = (object) => ({
    fullName: `${object}.Ext_Id__c`, label: 'Ext Id', type: 'Text', length: 80, externalId: true, unique: true,
    caseSensitive: true,
  });
  const saved = await conn.metadata.upsert('CustomField', key('Case'));
  assert.deepEqual([saved.success, saved.created, saved.fullName], [true, true, 'Case.Ext_Id__c']);
  assert.equal((await conn.metadata.upsert('CustomField', key('Case'))).created, false);
  const many = await conn.metadata.create('CustomField', [key('Account'), key('Contact')]);
  assert.ok(many.every((row) => row.success));
  const refused = await conn.metadata.create('CustomField', { fullName: 'Case.Bad__c', label: 'Bad', type: 'Text' });
  assert.equal(refused.success, false);
  const made = await conn.metadata.upsert('CustomObject', {
    fullName: 'Ticket_Part__c', label: 'Ticket Part', pluralLabel: 'Ticket Parts', deploymentStatus: 'Deployed',
    sharingModel: 'ReadWrite', nameField: { type: 'AutoNumber', label: 'Number', displayFormat: 'P-{0000}' },
    fields: [
      { fullName: 'Case__c', label: 'Case', type: 'MasterDetail', referenceTo: 'Case', relationshipName: 'Parts', relationshipLabel: 'Parts' },
      { fullName: 'Text__c', label: 'Text', type: 'LongTextArea', length: 5000, visibleLines: 3 },
      { fullName: 'Weight__c', label: 'Weight', type: 'Number', precision: 10, scale: 2 },
    ],
  });
  assert.equal(made.success, true);
  const described = await conn.describe('Ticket_Part__c');
  assert.ok(described.custom && described.fields.some((f) => f.name === 'Weight__c' && f.scale === 2));
  const read = await conn.metadata.read('CustomField', 'Case.Ext_Id__c');
  assert.equal(read.externalId, true);
  const listed = await conn.metadata.list([{ type: 'CustomObject' }], version);
  assert.ok(listed.some((row) => row.fullName === 'Ticket_Part__c'));
  const types = await conn.metadata.describe(version);
  assert.ok(types.metadataObjects.some((row) => row.xmlName === 'CustomObject'));
});

check('describes', async () => {
  const all = await conn.describeGlobal();
  assert.ok(all.sobjects.some((o) => o.name === 'EmailMessage'));
  const cases = await conn.describe('Case');
  const field = cases.fields.find((f) => f.name === 'Ext_Id__c');
  assert.deepEqual([field.externalId, field.unique, field.length, field.custom], [true, true, 80, true]);
  assert.ok(cases.childRelationships.some((c) => c.relationshipName === 'Parts__r'));
});

check('inserts, reads, updates, upserts, deletes', async () => {
  const one = await conn.sobject('Case').create({ Subject: 'one', Origin: 'Email' });
  assert.equal(one.success, true);
  assert.equal((await conn.sobject('Case').retrieve(one.id)).Subject, 'one');
  assert.equal((await conn.sobject('Case').update({ Id: one.id, Subject: 'two' })).success, true);
  for (const key of ['E/1 ä', 'plain', "it's", 'a+b&c=d']) {
    const first = await conn.sobject('Case').upsert({ Ext_Id__c: key, Subject: key }, 'Ext_Id__c');
    assert.equal(first.success, true, key);
    await conn.sobject('Case').upsert({ Ext_Id__c: key, Subject: 'again' }, 'Ext_Id__c');
    const quoted = key.replace(/[\\']/g, (c) => `\\${c}`);
    const found = await conn.query(`SELECT Id, Subject FROM Case WHERE Ext_Id__c = '${quoted}'`);
    assert.deepEqual(found.records.map((r) => r.Subject), ['again'], key);
  }
  const several = await conn.sobject('Case').create(
    Array.from({ length: 201 }, (_, n) => ({ Subject: `s${n}` })), { allowRecursive: true });
  assert.equal(several.filter((r) => r.success).length, 201);
  const mixed = await conn.sobject('Contact').create([{ LastName: 'A' }, { FirstName: 'no last name' }]);
  assert.deepEqual(mixed.map((r) => r.success), [true, false]);
  assert.equal(mixed[1].errors[0].statusCode, 'REQUIRED_FIELD_MISSING');
  const upserted = await conn.sobject('Account').upsert(
    [{ Ext_Id__c: 'a1', Name: 'One' }, { Ext_Id__c: 'a2', Name: 'Two' }], 'Ext_Id__c');
  assert.deepEqual(upserted.map((r) => r.created), [true, true]);
  const gone = await conn.sobject('Case').destroy(several.slice(0, 3).map((r) => r.id));
  assert.ok(gone.every((r) => r.success));
  await assert.rejects(conn.sobject('Case').retrieve(several[0].id), (e) => e.errorCode === 'ENTITY_IS_DELETED' || e.errorCode === 'NOT_FOUND');
  await assert.rejects(conn.sobject('Case').create({ Nothing__c: 1 }), (e) => e.errorCode === 'INVALID_FIELD');
  await assert.rejects(conn.query('SELECT FROM Case'), (e) => e.errorCode === 'MALFORMED_QUERY');
});

check('queries with relationships, pages and aggregates', async () => {
  const account = await conn.sobject('Account').create({ Name: 'Acme' });
  const contact = await conn.sobject('Contact').create({ LastName: 'Ngo', FirstName: 'Kim', AccountId: account.id });
  for (const [subject, priority] of [['p1', 'High'], ['p2', 'Low'], ['p3', 'High']]) {
    await conn.sobject('Case').create({ Subject: subject, Priority: priority, ContactId: contact.id });
  }
  const up = await conn.query(`SELECT Subject, Contact.Name, Contact.Account.Name FROM Case WHERE ContactId = '${contact.id}' ORDER BY Subject`);
  assert.deepEqual(up.records.map((r) => [r.Subject, r.Contact.Name, r.Contact.Account.Name]),
    ['p1', 'p2', 'p3'].map((s) => [s, 'Kim Ngo', 'Acme']));
  const down = await conn.query(`SELECT Name, (SELECT LastName FROM Contacts), (SELECT Subject FROM Cases ORDER BY Subject DESC) FROM Account WHERE Id = '${account.id}'`);
  assert.equal(down.records[0].Contacts.totalSize, 1);
  assert.deepEqual(down.records[0].Cases.records.map((r) => r.Subject), ['p3', 'p2', 'p1']);
  const grouped = await conn.query(`SELECT Priority, COUNT(Id) n, MAX(Subject) latest FROM Case WHERE ContactId = '${contact.id}' GROUP BY Priority HAVING COUNT(Id) > 0 ORDER BY COUNT(Id) DESC`);
  assert.deepEqual(grouped.records.map((r) => [r.Priority, r.n, r.latest]), [['High', 2, 'p3'], ['Low', 1, 'p2']]);
  const semi = await conn.query(`SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact WHERE LastName = 'Ngo')`);
  assert.equal(semi.totalSize, 1);
  const today = await conn.query('SELECT COUNT() FROM Case WHERE CreatedDate = TODAY');
  assert.ok(today.totalSize > 200);
  const found = await conn.sobject('Case').find({ ContactId: contact.id, Priority: 'High' }, ['Id', 'Subject']).sort({ Subject: -1 }).limit(1).execute();
  assert.equal(found[0].Subject, 'p3');
  const paged = await conn.query('SELECT Id FROM Case', { maxFetch: 1000, headers: { 'Sforce-Query-Options': 'batchSize=200' } });
  assert.equal(paged.done, false);
  const rest = await conn.queryMore(paged.nextRecordsUrl);
  assert.ok(paged.records.length + rest.records.length > 200);
  const fields = await conn.query('SELECT FIELDS(STANDARD) FROM Case LIMIT 1');
  assert.ok('CaseNumber' in fields.records[0]);
});

check('composite, tree, batch and graph', async () => {
  const base = `/services/data/v${version}`;
  const composite = await conn.requestPost(`${base}/composite`, {
    allOrNone: true,
    compositeRequest: [
      { method: 'POST', url: `${base}/sobjects/Account`, referenceId: 'a', body: { Name: 'Ref' } },
      { method: 'POST', url: `${base}/sobjects/Contact`, referenceId: 'c', body: { LastName: 'Ref', AccountId: '@{a.id}' } },
      { method: 'GET', url: `${base}/query?q=SELECT+Account.Name+FROM+Contact+WHERE+Id='@{c.id}'`, referenceId: 'q' },
    ],
  });
  assert.deepEqual(composite.compositeResponse.map((r) => r.httpStatusCode), [201, 201, 200]);
  assert.equal(composite.compositeResponse[2].body.records[0].Account.Name, 'Ref');
  const tree = await conn.requestPost(`${base}/composite/tree/Account`, {
    records: [{
      attributes: { type: 'Account', referenceId: 'r1' }, Name: 'Tree',
      Contacts: { records: [{ attributes: { type: 'Contact', referenceId: 'r2' }, LastName: 'Leaf' }] },
    }],
  });
  assert.deepEqual(tree.results.map((r) => r.referenceId), ['r1', 'r2']);
  await assert.rejects(conn.requestPost(`${base}/composite/tree/Contact`, {
    records: [{ attributes: { type: 'Contact', referenceId: 'bad' }, FirstName: 'x' }],
  }));
  const batch = await conn.requestPost(`${base}/composite/batch`, {
    batchRequests: [{ method: 'GET', url: `v${version}/limits` }, { method: 'GET', url: `v${version}/sobjects/None` }],
  });
  assert.deepEqual(batch.results.map((r) => r.statusCode), [200, 404]);
  const graph = await conn.requestPost(`${base}/composite/graph`, {
    graphs: [
      { graphId: 'good', compositeRequest: [{ method: 'POST', url: `${base}/sobjects/Account`, referenceId: 'x', body: { Name: 'G' } }] },
      { graphId: 'bad', compositeRequest: [{ method: 'POST', url: `${base}/sobjects/Contact`, referenceId: 'y', body: {} }] },
    ],
  });
  assert.deepEqual(graph.graphs.map((g) => g.isSuccessful), [true, false]);
});

check('Bulk 2.0: all three result sets, and a query', async () => {
  conn.bulk2.pollInterval = 100;
  conn.bulk2.pollTimeout = 60000;
  const rows = [
    { Ext_Id__c: 'B,1', Subject: 'line one\nline "two"' },
    { Ext_Id__c: 'B2', Subject: 'ä, ö' },
    { Ext_Id__c: 'B3', Subject: 'x'.repeat(300) },
  ];
  const done = await conn.bulk2.loadAndWaitForResults({
    object: 'Case', operation: 'upsert', externalIdFieldName: 'Ext_Id__c', input: rows,
  });
  assert.deepEqual(done.successfulResults.map((r) => [r.Ext_Id__c, r.Subject, r.sf__Created]).sort(),
    [['B,1', 'line one\nline "two"', 'true'], ['B2', 'ä, ö', 'true']]);
  assert.equal(done.failedResults.length, 1);
  assert.match(done.failedResults[0].sf__Error, /^STRING_TOO_LONG/);
  assert.equal(done.unprocessedRecords.length, 0);
  const stream = await conn.bulk2.query("SELECT Ext_Id__c, Subject FROM Case WHERE Ext_Id__c IN ('B,1', 'B2')");
  const read = await stream.toArray();
  assert.equal(read.length, 2);
  assert.ok(read.some((r) => r.Subject === 'line one\nline "two"'));
});

check('the older Bulk API', async () => {
  conn.bulk.pollInterval = 50;
  conn.bulk.pollTimeout = 30000;
  const loaded = await conn.bulk.load('Case', 'upsert', { extIdField: 'Ext_Id__c' }, [
    { Ext_Id__c: 'old1', Subject: 'a' }, { Ext_Id__c: 'old2', Subject: 'b, "c"' },
  ]);
  assert.deepEqual(loaded.map((r) => r.success), [true, true]);
  const read = await (await conn.bulk.query("SELECT Subject FROM Case WHERE Ext_Id__c = 'old2'")).toArray();
  assert.deepEqual(read.map((r) => r.Subject), ['b, "c"']);
});

check('a file of 30 MB up and down', async () => {
  const bytes = randomBytes(30 * 1024 * 1024);
  const { default: FormData } = await import('form-data');
  const form = new FormData();
  form.append('entity_content', JSON.stringify({ PathOnClient: 'größe.bin', Title: 'größe' }), { contentType: 'application/json' });
  form.append('VersionData', bytes, { filename: 'big.bin', contentType: 'application/octet-stream' });
  const made = await conn.request({
    method: 'POST', url: `/services/data/v${version}/sobjects/ContentVersion`, body: form.getBuffer(), headers: form.getHeaders(),
  });
  assert.equal(made.success, true);
  const row = await conn.sobject('ContentVersion').retrieve(made.id);
  assert.equal(row.ContentSize, bytes.length);
  assert.equal(row.Checksum, createHash('md5').update(bytes).digest('hex'));
  const parts = [];
  for await (const part of conn.sobject('ContentVersion').record(made.id).blob('VersionData')) parts.push(part);
  assert.ok(Buffer.concat(parts).equals(bytes));
  const small = await conn.sobject('ContentVersion').create({
    PathOnClient: 'a.txt', VersionData: Buffer.from('hello').toString('base64'),
  });
  assert.equal(small.success, true);
  void Readable;
});

check('limits', async () => {
  const limits = await conn.limits();
  assert.ok(limits.DailyApiRequests.Remaining > 0 && limits.DataStorageMB.Max > 0);
  const counts = await conn.requestGet(`/services/data/v${version}/limits/recordCount?sObjects=Case,Account`);
  assert.ok(counts.sObjects.some((row) => row.name === 'Case' && row.count > 200));
  assert.ok(conn.limitInfo.apiUsage.used > 0);
});

let failed = 0;
for (const [name, work] of checks) {
  const begun = Date.now();
  try {
    await work();
    console.log(`ok      ${name} (${Date.now() - begun} ms)`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}\n${error.stack}`);
  }
}
process.exit(failed ? 1 : 0);
