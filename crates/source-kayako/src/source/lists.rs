//! Definitions, teams, organisations and users: lists that are read from the top to the end.

use std::sync::Arc;

use deskferry_core::model::Record;
use deskferry_core::source::{Cursor, Next, Page, Reject};
use deskferry_core::{Context, ErrorKind, RecordKind, Result, Tenant};

use super::walk::{Step, Walk};
use super::{Kayako, id_of, read_place, watermark};
use crate::client::{FieldOwner, List};
use crate::convert::{self, Definitions};
use crate::wire::{self, Defect, Field, Raw};

/// What is needed to decode custom values, and the definitions as records.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    pub(super) values: Definitions,
    rows: Vec<(FieldOwner, Field)>,
    rejects: Vec<Reject>,
    notes: Vec<String>,
    language: Option<String>,
}

impl Kayako {
    /// The definitions; fetched once per process, by whoever needs them first.
    pub(super) async fn definitions(&self, cx: &Context) -> Result<Arc<Loaded>> {
        let mut kept = self.definitions.lock().await;
        if let Some(loaded) = kept.as_ref() {
            return Ok(Arc::clone(loaded));
        }
        let loaded = Arc::new(self.load_definitions(cx).await?);
        *kept = Some(Arc::clone(&loaded));
        Ok(loaded)
    }

    async fn load_definitions(&self, cx: &Context) -> Result<Loaded> {
        let mut loaded = Loaded::default();
        loaded.language = self.language(cx, &mut loaded.notes).await?;
        for owner in FieldOwner::ALL {
            for raw in self.client.fields(cx, owner).await? {
                match wire::decode::<Field>(&raw) {
                    Ok(field) => {
                        loaded
                            .values
                            .learn(owner, &field, loaded.language.as_deref());
                        loaded.rows.push((owner, field));
                    }
                    Err(defect) => {
                        loaded.rejects.push(convert::reject(
                            RecordKind::FieldDefinition,
                            id_of(&raw),
                            defect,
                            &raw,
                        ));
                    }
                }
            }
        }
        Ok(loaded)
    }

    /// The default language. Settings need an administrator; without one options are shown in any language they have.
    async fn language(&self, cx: &Context, notes: &mut Vec<String>) -> Result<Option<String>> {
        let named = match self.client.default_language(cx).await {
            Err(error) if matches!(error.kind(), ErrorKind::Forbidden | ErrorKind::NotFound) => {
                notes.push("the account may not read the settings: options of custom fields are taken in the first language they have".to_owned());
                None
            }
            named => named?,
        };
        match named.as_deref().map(str::parse) {
            Some(Ok(id)) => self.client.locale(cx, id).await,
            _ => Ok(named),
        }
    }

    pub(super) async fn definitions_page(&self, cx: &Context) -> Result<Page> {
        let tenant = self.client.tenant(cx).await?;
        let loaded = self.definitions(cx).await?;
        let own = loaded
            .rows
            .iter()
            .filter(|(_, field)| field.is_system != Some(true));
        let records = own.map(|(owner, field)| {
            Record::from(convert::definition(
                &tenant,
                *owner,
                field,
                loaded.language.as_deref(),
            ))
        });
        let mut page = Page::new(records.collect(), Next::End(watermark(cx.now())));
        page.rejects = loaded.rejects.clone();
        page.notes = loaded.notes.clone();
        Ok(page)
    }

    /// One page of teams, organisations or users.
    pub(super) async fn list_page(
        &self,
        cx: &Context,
        list: List,
        after: Option<Cursor>,
    ) -> Result<Page> {
        let tenant = self.client.tenant(cx).await?;
        let walk: Walk = read_place(after).unwrap_or_default();
        let listed = self.client.list(cx, list, &walk.place).await?;
        let mut page = Page::new(Vec::new(), Next::End(watermark(cx.now())));
        let mut unexpanded = 0;
        for raw in &listed.rows {
            match self.row(cx, &tenant, list, raw).await? {
                Ok((record, bare)) => {
                    unexpanded += bare;
                    page.records.push(record);
                }
                Err(reject) => page.rejects.push(reject),
            }
        }
        if unexpanded > 0 {
            page.notes.push(format!(
                "{}: {unexpanded} addresses and numbers came as bare references and are missing",
                list.operation()
            ));
        }
        let ids: Vec<String> = listed
            .rows
            .iter()
            .map(|raw| id_of(raw).unwrap_or_default())
            .collect();
        match walk.advance(&ids, &listed, list.operation())? {
            Step::More(walk) => page.next = Next::More(super::cursor(&walk)?),
            Step::Done(walk) => {
                if walk.moved || walk.missing() > 0 {
                    page.notes.push(format!(
                        "{}: rows left the list while it was read; {} of {} were counted",
                        list.operation(),
                        walk.distinct,
                        walk.total.unwrap_or_default()
                    ));
                }
                page.next = Next::End(watermark(walk.start.unwrap_or_else(|| cx.now())));
            }
        }
        Ok(page)
    }

    async fn row(
        &self,
        cx: &Context,
        tenant: &Tenant,
        list: List,
        raw: &Raw,
    ) -> Result<Result<(Record, usize), Reject>> {
        let refuse =
            |kind: RecordKind, defect: Defect| convert::reject(kind, id_of(raw), defect, raw);
        let converted = match list {
            List::Teams => wire::decode(raw)
                .map(|row| Record::from(convert::team(tenant, row)))
                .map_err(|defect| refuse(RecordKind::Team, defect)),
            List::Organizations => {
                let definitions = self.definitions(cx).await?;
                wire::decode(raw)
                    .map(|row| Record::from(convert::account(tenant, &definitions.values, &row)))
                    .map_err(|defect| refuse(RecordKind::Account, defect))
            }
            List::Users | List::Cases => {
                return Ok(self
                    .user(cx, tenant, raw)
                    .await?
                    .map(|(_, record, bare)| (record, bare)));
            }
        };
        Ok(converted.map(|mut record| {
            self.keep_raw(&mut record, raw);
            (record, 0)
        }))
    }
}
