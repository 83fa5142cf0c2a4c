"""simple-salesforce against the local org, over TLS.

The library asks login.salesforce.com for its tokens and speaks https only. What it asks there is sent to the org's TLS
listener, whose authority REQUESTS_CA_BUNDLE names; everything else it finds by itself. The address and the credentials
come from the environment, as examples/local_org.rs prints them.
"""

import base64
import hashlib
import io
import os
import sys
import time
import traceback
import zipfile
from urllib.parse import quote, urlsplit

import requests
from requests.adapters import HTTPAdapter
from simple_salesforce import Salesforce, SalesforceAuthenticationFailed, SalesforceLogin
from simple_salesforce.exceptions import (
    SalesforceMalformedRequest,
    SalesforceResourceNotFound,
)

ENV = os.environ
TLS = urlsplit(ENV["SALESFORCE_TLS_URL"])
VERSION = "60.0"
CHECKS = []
STATE = {}


class ToTheOrg(HTTPAdapter):
    """Sends what is meant for the vendor's hosts to the org."""

    def send(self, request, *args, **kwargs):
        host = urlsplit(request.url).netloc
        if host.endswith(".salesforce.com"):
            request.url = request.url.replace(f"https://{host}", ENV["SALESFORCE_TLS_URL"], 1)
        return super().send(request, *args, **kwargs)


def session():
    new = requests.Session()
    new.mount("https://", ToTheOrg())
    return new


def check(name):
    def note(work):
        CHECKS.append((name, work))
        return work

    return note


def keyed(**more):
    return {"session": session(), "version": VERSION, **more}


@check("logs in by SOAP, password, client credentials and assertion")
def logs_in():
    user, password = ENV["SALESFORCE_USERNAME"], ENV["SALESFORCE_PASSWORD"]
    by_soap = Salesforce(username=user, password=password, security_token="token1", **keyed())
    assert by_soap.query("SELECT COUNT() FROM User")["totalSize"] >= 1
    org = by_soap.query("SELECT Id FROM Organization")["records"][0]["Id"]
    Salesforce(username=user, password=password, organizationId=org, **keyed())
    key, secret = ENV["SALESFORCE_CLIENT_ID"], ENV["SALESFORCE_CLIENT_SECRET"]
    grants = [
        {"username": user, "password": password, "consumer_key": key, "consumer_secret": secret},
        {"consumer_key": key, "consumer_secret": secret, "domain": "acme.my"},
        {"username": user, "consumer_key": key, "privatekey_file": ENV["SALESFORCE_JWT_KEY"]},
    ]
    for grant in grants:
        client = Salesforce(**grant, **keyed())
        assert client.limits()["DailyApiRequests"]["Max"] > 0
    try:
        SalesforceLogin(username=user, password="wrong!", security_token="", session=session())
        raise AssertionError("a wrong password was taken")
    except SalesforceAuthenticationFailed as e:
        assert e.code == "INVALID_LOGIN", e
    STATE["sf"] = Salesforce(
        instance=TLS.netloc, session_id=ENV["SALESFORCE_ACCESS_TOKEN"], **keyed()
    )


PACKAGE = """<?xml version="1.0" encoding="UTF-8"?>
<Package xmlns="http://soap.sforce.com/2006/04/metadata">
  <types><members>Case.Ext_Id__c</members><members>Case.Broken__c</members><name>CustomField</name></types>
  <types><members>Meter__c</members><name>CustomObject</name></types>
  <version>60.0</version>
</Package>"""
FIELD = """<fields><fullName>Ext_Id__c</fullName><label>Ext Id</label><type>Text</type><length>80</length>
<externalId>true</externalId><unique>true</unique><caseSensitive>true</caseSensitive></fields>"""
BROKEN = "<fields><fullName>Broken__c</fullName><label>Broken</label><type>Text</type></fields>"
METER = """<?xml version="1.0" encoding="UTF-8"?>
<CustomObject xmlns="http://soap.sforce.com/2006/04/metadata">
  <label>Meter</label><pluralLabel>Meters</pluralLabel><deploymentStatus>Deployed</deploymentStatus>
  <sharingModel>ReadWrite</sharingModel><nameField><label>Name</label><type>Text</type></nameField>
  <fields><fullName>Reading__c</fullName><label>Reading</label><type>Number</type><precision>12</precision><scale>3</scale></fields>
</CustomObject>"""


def case_object(fields):
    return (
        '<?xml version="1.0" encoding="UTF-8"?><CustomObject xmlns="http://soap.sforce.com/2006/04/metadata">'
        f"{fields}</CustomObject>"
    )


def zipped(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    buffer.seek(0)
    return buffer


def deployed(files, **options):
    sf = STATE["sf"]
    answer = sf.deploy(zipped(files), sandbox=False, **options)
    for _ in range(50):
        status = sf.checkDeployStatus(answer["asyncId"])
        if status["state"] not in ("Pending", "Queued", "InProgress"):
            return status
        time.sleep(0.1)
    raise AssertionError("the deployment does not end")


@check("deploys a field and an object, and is told what is wrong with them")
def deploys():
    refused = deployed({"package.xml": PACKAGE, "objects/Case.object": case_object(FIELD + BROKEN), "objects/Meter__c.object": METER})
    assert refused["state"] == "Failed", refused
    assert int(refused["deployment_detail"]["failed_count"]) >= 1, refused
    good = PACKAGE.replace("<members>Case.Broken__c</members>", "")
    files = {"package.xml": good, "objects/Case.object": case_object(FIELD), "objects/Meter__c.object": METER}
    checked = deployed(files, checkOnly=True)
    assert checked["state"] == "Succeeded", checked
    names = [f["name"] for f in STATE["sf"].Case.describe()["fields"]]
    assert "Ext_Id__c" not in names, "a check only deployment must change nothing"
    done = deployed(files)
    assert done["state"] == "Succeeded", done
    names = [f["name"] for f in STATE["sf"].Case.describe()["fields"]]
    assert "Ext_Id__c" in names
    made = STATE["sf"].Meter__c.create({"Name": "M1", "Reading__c": 1.5})
    assert STATE["sf"].Meter__c.get(made["id"])["Reading__c"] == 1.5


@check("describes")
def describes():
    sf = STATE["sf"]
    assert any(o["name"] == "EmailMessage" for o in sf.describe()["sobjects"])
    field = next(f for f in sf.Case.describe()["fields"] if f["name"] == "Ext_Id__c")
    assert field["externalId"] and field["length"] == 80
    assert sf.Case.metadata()["objectDescribe"]["keyPrefix"] == "500"


@check("inserts, updates, upserts, deletes")
def writes():
    sf = STATE["sf"]
    made = sf.Case.create({"Subject": "one"})
    assert sf.Case.update(made["id"], {"Subject": "two"}) == 204
    assert sf.Case.get(made["id"])["Subject"] == "two"
    for key in ["E/1 ä", "plain", "a+b&c=d?e#f%g"]:
        assert sf.Case.upsert("Ext_Id__c/" + quote(key, safe=""), {"Subject": key}) in (200, 201)
        assert sf.Case.upsert("Ext_Id__c/" + quote(key, safe=""), {"Subject": "again"}) == 200
        # The library writes a blank of a path as a plus, which is one.
        if " " not in key:
            assert sf.Case.get_by_custom_id("Ext_Id__c", key)["Subject"] == "again"
    assert sf.Case.delete(made["id"]) == 204
    try:
        sf.Case.get(made["id"])
        raise AssertionError("a deleted record was read")
    except SalesforceResourceNotFound:
        pass
    try:
        sf.Contact.create({"FirstName": "x"})
        raise AssertionError("a contact without a last name was taken")
    except SalesforceMalformedRequest as e:
        assert e.content[0]["errorCode"] == "REQUIRED_FIELD_MISSING", e.content


@check("queries, with pages")
def queries():
    sf = STATE["sf"]
    account = sf.Account.create({"Name": "Acme"})["id"]
    records = [{"attributes": {"type": "Contact"}, "LastName": f"N{n:04}", "AccountId": account} for n in range(200)]
    answered = sf.restful("composite/sobjects", method="POST", json={"allOrNone": True, "records": records})
    assert all(row["success"] for row in answered)
    rows = list(sf.query_all_iter(
        f"SELECT LastName, Account.Name FROM Contact WHERE AccountId = '{account}' ORDER BY LastName"
    ))
    assert len(rows) == 200 and rows[0]["Account"]["Name"] == "Acme"
    counted = sf.query(f"SELECT Account.Name n, COUNT(Id) c FROM Contact WHERE AccountId = '{account}' GROUP BY Account.Name")
    assert counted["records"][0]["c"] == 200
    below = sf.query(f"SELECT Id, (SELECT Id FROM Contacts LIMIT 5) FROM Account WHERE Id = '{account}'")
    assert below["records"][0]["Contacts"]["totalSize"] == 5


@check("composite and tree")
def composite():
    sf = STATE["sf"]
    base = f"/services/data/v{VERSION}"
    body = {"allOrNone": True, "compositeRequest": [
        {"method": "POST", "url": f"{base}/sobjects/Account", "referenceId": "a", "body": {"Name": "Ref"}},
        {"method": "POST", "url": f"{base}/sobjects/Contact", "referenceId": "c", "body": {"LastName": "R", "AccountId": "@{a.id}"}},
    ]}
    answered = sf.restful("composite", method="POST", json=body)
    assert [r["httpStatusCode"] for r in answered["compositeResponse"]] == [201, 201]
    tree = sf.restful("composite/tree/Account", method="POST", json={"records": [
        {"attributes": {"type": "Account", "referenceId": "t1"}, "Name": "Tree", "Contacts": {"records": [
            {"attributes": {"type": "Contact", "referenceId": "t2"}, "LastName": "Leaf"}]}}]})
    assert tree["hasErrors"] is False and len(tree["results"]) == 2


@check("Bulk 2.0: insert, upsert, delete, all three result sets, a query")
def bulk2():
    sf = STATE["sf"]
    rows = [
        {"Ext_Id__c": "B1", "Subject": 'with "quotes", commas\nand lines'},
        {"Ext_Id__c": "B2", "Subject": "x" * 300},
    ]
    jobs = sf.bulk2.Case.upsert(records=rows, external_id_field="Ext_Id__c")
    assert jobs[0]["numberRecordsFailed"] == 1 and jobs[0]["numberRecordsTotal"] == 2, jobs
    results = sf.bulk2.Case.get_all_ingest_records(jobs[0]["job_id"])
    assert [len(results[k]) for k in ("successfulRecords", "failedRecords", "unprocessedRecords")] == [1, 1, 0], results
    assert results["failedRecords"][0]["sf__Error"].startswith("STRING_TOO_LONG")
    # The library reads CSV by lines and loses those inside a value; the org has kept them.
    assert results["successfulRecords"][0]["Subject"] == rows[0]["Subject"].replace("\n", "")
    assert sf.Case.get_by_custom_id("Ext_Id__c", "B1")["Subject"] == rows[0]["Subject"]
    read = "".join(sf.bulk2.Case.query("SELECT Id, Subject FROM Case WHERE Ext_Id__c = 'B1'"))
    assert "with " in read
    gone = results["successfulRecords"][0]["sf__Id"]
    assert sf.bulk2.Case.delete(records=[{"Id": gone}])[0]["numberRecordsFailed"] == 0


@check("the older Bulk API")
def bulk1():
    sf = STATE["sf"]
    done = sf.bulk.Case.upsert([{"Ext_Id__c": "O1", "Subject": "a"}, {"Ext_Id__c": "O2", "Subject": "b"}], "Ext_Id__c", batch_size=10)
    assert [row["success"] for row in done] == [True, True], done
    read = sf.bulk.Case.query("SELECT Id, Subject FROM Case WHERE Ext_Id__c = 'O2'")
    assert [row["Subject"] for row in read] == ["b"], read
    failed = sf.bulk.Contact.insert([{"FirstName": "no last name"}], batch_size=10)
    assert failed[0]["success"] is False and failed[0]["errors"][0]["statusCode"] == "REQUIRED_FIELD_MISSING"


@check("a file of 30 MB up and down")
def files():
    sf = STATE["sf"]
    data = os.urandom(30 * 1024 * 1024)
    made = sf.ContentVersion.create(
        {"PathOnClient": "größe.bin", "Title": "größe", "VersionData": base64.b64encode(data).decode()}
    )
    row = sf.ContentVersion.get(made["id"])
    assert row["ContentSize"] == len(data) and row["Checksum"] == hashlib.md5(data).hexdigest()
    url = f"{sf.base_url}sobjects/ContentVersion/{made['id']}/VersionData"
    back = sf.session.get(url, headers={"Authorization": f"Bearer {sf.session_id}"})
    assert back.content == data


@check("limits")
def limits():
    sf = STATE["sf"]
    assert sf.limits()["DailyApiRequests"]["Remaining"] > 0
    assert sf.api_usage["api-usage"].used > 0


def main():
    failed = 0
    for name, work in CHECKS:
        begun = time.monotonic()
        try:
            work()
            print(f"ok      {name} ({(time.monotonic() - begun) * 1000:.0f} ms)", flush=True)
        except Exception:
            failed += 1
            print(f"FAILED  {name}\n{traceback.format_exc()}", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
