//! The knowledge base: its tree and its articles, which come in one answer each, and the files of the articles.

use deskferry_core::model::{Article, MessageFile, Record};
use deskferry_core::source::{Page, Reject};
use deskferry_core::{Context, ErrorKind, RecordKind, Result};

use super::Classic;
use super::client::{Whole, is_absent};
use super::convert::{self, File, Readers};
use super::lists::rejected;
use super::xml::Row;
use crate::convert::shown_cids;

impl Classic {
    /// All of it at once: neither list can be asked for in parts that every version understands.
    pub(super) async fn knowledge_page(&self, cx: &Context) -> Result<Page> {
        let mut page = self.page_of(cx, Vec::new());
        let loaded = self.loaded(cx).await?;
        let categories = match self.client.whole(cx, Whole::Categories).await {
            Err(error) if is_absent(&error) => {
                page.notes.push(format!(
                    "{}: the key may not, or this version has none",
                    Whole::Categories.operation()
                ));
                None
            }
            answer => Some(answer?),
        };
        let mut readers = Readers::default();
        let rows = categories
            .iter()
            .flat_map(|answer| answer.document.rows(Whole::Categories.row()));
        let rows: Vec<Row<'_>> = rows.collect();
        for row in &rows {
            // A row that is none is rejected below.
            let _ = readers.learn(*row);
        }
        for row in &rows {
            match convert::category(&self.tenant, &readers, *row) {
                Ok(category) => page.records.push(Record::from(category)),
                Err(defect) => page
                    .rejects
                    .push(rejected(RecordKind::Category, *row, defect)),
            }
        }
        let articles = match self.client.whole(cx, Whole::Articles).await {
            Err(error) if is_absent(&error) => {
                page.notes.push(format!(
                    "{}: the key may not, or this version has none",
                    Whole::Articles.operation()
                ));
                return Ok(page);
            }
            answer => answer?,
        };
        for row in articles.document.rows(Whole::Articles.row()) {
            let made = convert::article(
                &self.tenant,
                &loaded.desk,
                &readers,
                self.config.language(),
                row,
            );
            match made {
                Ok(mut article) => {
                    if row.number("hasattachments").is_some_and(|count| count > 0) {
                        self.article_files(cx, row, &mut article, &mut page).await?;
                    }
                    page.records.push(Record::from(article));
                }
                Err(defect) => page
                    .rejects
                    .push(rejected(RecordKind::Article, row, defect)),
            }
        }
        Ok(page)
    }

    async fn article_files(
        &self,
        cx: &Context,
        row: Row<'_>,
        article: &mut Article,
        page: &mut Page,
    ) -> Result<()> {
        let Some(id) = row.reference("kbarticleid").or_else(|| row.reference("id")) else {
            return Ok(());
        };
        let answer = match self
            .client
            .article_files(cx, id, article.meta.key.clone())
            .await
        {
            Ok(Some(answer)) => answer,
            Ok(None) => return Ok(()),
            Err(error) if is_absent(&error) || error.kind() == ErrorKind::Decode => {
                page.rejects.push(Reject {
                    kind: RecordKind::Attachment,
                    id: None,
                    path: "attachments".to_owned(),
                    reason: format!(
                        "the files of article {id} cannot be listed: {}",
                        error.message()
                    ),
                    raw: String::new(),
                });
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        for row in answer
            .document
            .rows("attachment")
            .into_iter()
            .chain(answer.document.rows("kbattachment"))
        {
            match File::read(row) {
                Ok(file) => {
                    let html = article.translations.first().map(|text| text.html.clone());
                    let html = html.unwrap_or_default();
                    let shown = shown_cids(&html);
                    let sources = shown.iter().filter(|(_, cid)| file.answers_to(cid));
                    let mut sources: Vec<Option<String>> =
                        sources.map(|(src, _)| Some((*src).to_owned())).collect();
                    let record = file.article_record(&self.tenant, id, !sources.is_empty());
                    if sources.is_empty() {
                        sources.push(None);
                    }
                    for shown_as in sources {
                        article.files.push(MessageFile {
                            key: record.meta.key.clone(),
                            name: record.name.clone(),
                            shown_as,
                        });
                    }
                    page.records.push(Record::from(record));
                }
                Err(defect) => page
                    .rejects
                    .push(rejected(RecordKind::Attachment, row, defect)),
            }
        }
        Ok(())
    }
}
