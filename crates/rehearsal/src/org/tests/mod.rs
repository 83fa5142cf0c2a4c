//! The org against its reference, over the wire.

mod answers;
mod bulk;
mod clients;
mod components;
mod contract;
mod entitlements;
mod gathered;
mod grants;
mod knowledge;
mod merges;
mod objects;
mod outside;
mod pages;
mod pictures;
mod plans;
mod profiles;
mod queries;
mod refusals;
mod state;
mod writes;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::fault::{Action, Rule};

const TOKEN: &str = "00Drehearsal!token";

/// A running org and a client that knows its token.
struct Bench {
    org: Org,
    folder: TempDir,
    client: reqwest::Client,
}

/// An answer: status, headers, JSON (null when there is none).
struct Answer {
    status: u16,
    headers: reqwest::header::HeaderMap,
    body: Value,
}

fn options(folder: &TempDir) -> OrgOptions {
    let number = CustomField {
        precision: Some(5),
        scale: Some(2),
        ..CustomField::new("Case", "Score__c", FieldType::Number)
    };
    let values = vec!["red".to_owned(), "green".into(), "blue".into()];
    let tags = CustomField {
        values: values.clone(),
        ..CustomField::new("Case", "Tags__c", FieldType::MultiselectPicklist)
    };
    let colour = CustomField {
        values,
        restricted: true,
        ..CustomField::new("Case", "Colour__c", FieldType::Picklist)
    };
    let notes = CustomField {
        length: Some(300),
        ..CustomField::new("Case", "Notes__c", FieldType::Html)
    };
    let loose = CustomField {
        external_id: true,
        unique: true,
        ..CustomField::text("Contact", "Loose_Key__c", 80)
    };
    let hidden = CustomField {
        hidden: true,
        ..CustomField::text("Case", "Hidden__c", 80)
    };
    let friend = CustomField {
        reference_to: Some("Contact".into()),
        ..CustomField::new("Case", "Friend__c", FieldType::Lookup)
    };
    let keys = [
        "Account",
        "Contact",
        "Case",
        "EmailMessage",
        "ContentVersion",
    ]
    .map(CustomField::source_key);
    OrgOptions::new(folder.path())
        .access_token(TOKEN)
        .custom_fields([number, tags, colour, notes, loose, hidden, friend])
        .custom_fields([
            CustomField::new("Case", "Due__c", FieldType::Date),
            CustomField::new("Case", "Answered__c", FieldType::DateTime),
            CustomField::new("Case", "Vip__c", FieldType::Checkbox),
        ])
        .custom_fields(keys)
        .picklist_value("Case", "Status", "On hold", false)
        .picklist_value("Case", "Status", "Solved", true)
        .user(person("Ann Agent", "ann@example.org", true))
        .user(person("Gone Agent", "gone@example.org", false))
}

fn person(name: &str, email: &str, active: bool) -> NewUser {
    NewUser {
        email: email.into(),
        username: format!("{email}.rehearsal"),
        name: name.into(),
        active,
        user_type: "Standard".into(),
    }
}

impl Bench {
    async fn new() -> Self {
        Self::with(|options| options).await
    }

    async fn with(change: impl FnOnce(OrgOptions) -> OrgOptions) -> Self {
        let folder = TempDir::new().unwrap();
        let org = Org::start(change(options(&folder))).await.unwrap();
        // A pool would hide closed connections by sending again.
        let client = reqwest::Client::builder()
            .pool_max_idle_per_host(0)
            .build()
            .unwrap();
        Self {
            org,
            folder,
            client,
        }
    }

    fn request(&self, method: &str, resource: &str) -> reqwest::RequestBuilder {
        let url = format!("{}/services/data/v66.0/{resource}", self.org.url());
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        self.client
            .request(method, url)
            .bearer_auth(TOKEN)
            .header("Sforce-Auto-Assign", "FALSE")
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or(Value::Null);
        Answer {
            status,
            headers,
            body,
        }
    }

    async fn get(&self, resource: &str) -> Answer {
        self.answer(self.request("GET", resource)).await
    }

    async fn send(&self, method: &str, resource: &str, body: Value) -> Answer {
        let request = self
            .request(method, resource)
            .header("Content-Type", "application/json");
        self.answer(request.body(body.to_string())).await
    }

    /// Inserts rows of one object by collections; the rows of the answer.
    async fn insert(&self, object: &str, rows: &[Value]) -> Vec<Value> {
        let typed = |row: &Value| {
            let mut row = row.clone();
            row["attributes"] = json!({"type": object});
            row
        };
        let records: Vec<Value> = rows.iter().map(typed).collect();
        let answer = self
            .send(
                "POST",
                "composite/sobjects",
                json!({"allOrNone": false, "records": records}),
            )
            .await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body.as_array().unwrap().clone()
    }

    /// Inserts one row and expects it to be taken.
    async fn add(&self, object: &str, row: Value) -> String {
        let outcome = self
            .insert(object, std::slice::from_ref(&row))
            .await
            .remove(0);
        assert_eq!(outcome["success"], true, "{object} {row} became {outcome}");
        outcome["id"].as_str().unwrap().to_owned()
    }

    /// Inserts one row and expects it to be refused: code and message.
    async fn refused(&self, object: &str, row: Value) -> (String, String) {
        let outcome = self
            .insert(object, std::slice::from_ref(&row))
            .await
            .remove(0);
        assert_eq!(outcome["success"], false, "{object} {row} was taken");
        let error = &outcome["errors"][0];
        (
            error["statusCode"].as_str().unwrap().to_owned(),
            error["message"].as_str().unwrap().to_owned(),
        )
    }

    async fn query(&self, soql: &str) -> Answer {
        self.get(&format!("query?q={}", encoded(soql))).await
    }

    /// The rows of a query that fits one page.
    async fn rows(&self, soql: &str) -> Vec<Value> {
        let answer = self.query(soql).await;
        assert_eq!(answer.status, 200, "{soql}: {}", answer.body);
        assert_eq!(answer.body["done"], true, "{soql}");
        answer.body["records"].as_array().unwrap().clone()
    }

    /// One field of one record.
    async fn value(&self, object: &str, id: &str, field: &str) -> Value {
        let answer = self
            .get(&format!("sobjects/{object}/{id}?fields={field}"))
            .await;
        assert_eq!(answer.status, 200, "{object} {id}: {}", answer.body);
        answer.body[field].clone()
    }

    /// Uploads a file by multipart, the record first or last.
    async fn upload(&self, record: Value, bytes: Vec<u8>, record_first: bool) -> Answer {
        let entity = format!(
            "Content-Disposition: form-data; name=\"entity_content\"\r\nContent-Type: application/json\r\n\r\n{record}"
        );
        let mut blob =
            b"Content-Disposition: form-data; name=\"VersionData\"; filename=\"a.bin\"\r\n\r\n"
                .to_vec();
        blob.extend(bytes);
        let parts = if record_first {
            [entity.into_bytes(), blob]
        } else {
            [blob, entity.into_bytes()]
        };
        let mut body = Vec::new();
        for part in parts {
            body.extend_from_slice(b"--b0undary\r\n");
            body.extend(part);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--b0undary--\r\n");
        let request = self.request("POST", "sobjects/ContentVersion");
        self.answer(
            request
                .header("Content-Type", "multipart/form-data; boundary=\"b0undary\"")
                .body(body),
        )
        .await
    }

    async fn user(&self, name: &str) -> String {
        let rows = self
            .rows(&format!("SELECT Id FROM User WHERE Name = '{name}'"))
            .await;
        rows[0]["Id"].as_str().unwrap().to_owned()
    }
}

impl Answer {
    /// The code of a plain REST error.
    fn code(&self) -> &str {
        self.body[0]["errorCode"].as_str().unwrap_or_default()
    }
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn id(answer: &Answer) -> String {
    answer.body["id"]
        .as_str()
        .unwrap_or_else(|| panic!("{}", answer.body))
        .to_owned()
}
