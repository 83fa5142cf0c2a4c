//! A source of one's own: people from a table, loaded as contacts.
//!
//! ```text
//! cargo run --example own_source_from_csv -- people.csv      (id,name,email; a made-up table when none is named)
//! ```
#![expect(clippy::print_stdout, reason = "an example speaks to its reader")]

mod ends;
use async_trait::async_trait;
use deskferry::model::{Attachment, Contact};
use deskferry::pipeline::Pipeline;
use deskferry::source::{
    ByteStream, Capability, Cursor, Next, Page, Readiness, Reject, Scope, Shard, Watermark,
};
use deskferry::{Context, Error, RecordKind, Result, Source, Tenant};
use serde_json::json;

struct People(String);

fn tenant() -> Tenant {
    Tenant::new("table", "acme")
}

#[async_trait]
impl Source for People {
    fn capability(&self) -> Capability {
        Capability::new("table", &[RecordKind::Contact])
    }

    async fn check(&self, _cx: &Context) -> Result<Readiness> {
        Ok(Readiness::new(tenant(), "whoever has the file"))
    }

    async fn shards(&self, _cx: &Context, _scope: &Scope) -> Result<Vec<Shard>> {
        Ok(vec![Shard::new("people", [RecordKind::Contact])])
    }

    async fn page(&self, _cx: &Context, _shard: &Shard, _after: Option<Cursor>) -> Result<Page> {
        let (version, place) = (1, json!(null));
        let mut page = Page::new(Vec::new(), Next::End(Watermark { version, place }));
        for line in self.0.lines().skip(1) {
            let cells: Vec<&str> = line.split(',').map(str::trim).collect();
            let &[id, name, email] = cells.as_slice() else {
                // A row that cannot become a record is kept and told, never an error.
                page.rejects.push(Reject {
                    kind: RecordKind::Contact,
                    id: None,
                    path: "$".into(),
                    reason: "it has not three cells".into(),
                    raw: line.into(),
                });
                continue;
            };
            let key = tenant().key(RecordKind::Contact, id);
            let row = json!({"meta": {"key": key}, "name": name, "emails": [{"address": email}]});
            let contact = serde_json::from_value::<Contact>(row);
            let contact = contact.map_err(|e| Error::decode("read a row", "$", e))?;
            page.records.push(contact.into());
        }
        Ok(page)
    }

    async fn open(&self, _cx: &Context, _file: &Attachment, _from: u64) -> Result<ByteStream> {
        Err(Error::bug("open a file", "tables have none"))
    }
}

#[tokio::main]
async fn main() -> ends::Ends<()> {
    let mut table = "id,name,email\n1,Ann Lee,ann@example.org\nbroken\n".to_owned();
    if let Some(path) = std::env::args().nth(1) {
        table = std::fs::read_to_string(path)?;
    }
    let folder = tempfile::tempdir()?;
    let (_org, sink) = ends::org(folder.path()).await?;
    let pipeline = Pipeline::new(std::sync::Arc::new(People(table)), sink);
    println!("{:?}", pipeline.run(&Context::new()).await?);
    Ok(())
}
