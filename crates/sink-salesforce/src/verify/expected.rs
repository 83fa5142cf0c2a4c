//! The rows that records should have, built again by the code that built them for the load.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use deskferry_core::error::Result;
use deskferry_core::journal::Operation;
use deskferry_core::model::{Message, Record};
use deskferry_core::sink::{FileState, Loaded, Verdict};

use crate::load::articles;
use crate::load::files::{self, FilePlan};
use crate::load::messages::{self, Surroundings};
use crate::load::{
    Needed, Run, accounts, calls, cases, comments, contacts, leads, mails, objects, rows,
    statistics,
};
use crate::mapping::Route;
use crate::mapping::build::Fields;
use crate::mapping::facts::file_key;

/// A row as it should stand.
pub(crate) struct Expected<'a> {
    pub(crate) loaded: &'a Loaded,
    pub(crate) object: &'static str,
    /// The row's number within the record.
    pub(crate) n: u32,
    pub(crate) fields: Fields,
    /// MD5 and size of a file's bytes.
    pub(crate) bytes: Option<(String, u64)>,
    /// Where others made the row: the fields that we wrote.
    pub(crate) only: Option<BTreeSet<String>>,
}

/// What a record should have in the org.
pub(crate) enum Wanted<'a> {
    Rows(Vec<Expected<'a>>),
    /// Its rows cannot be built again: what they refer to is gone.
    Unbuildable(&'a Loaded, &'static str, Verdict),
}

/// The rows of these records. `now` is when the verification began.
pub(crate) async fn of<'a>(
    run: &Run<'_>,
    records: &[&'a Loaded],
    now: DateTime<Utc>,
) -> Result<Vec<Wanted<'a>>> {
    let Some(first) = records.first() else {
        return Ok(Vec::new());
    };
    match first.record {
        Record::Account(_) => records
            .iter()
            .map(|l| Ok(one(l, accounts::OBJECT, accounts::fields(run, l, now)?)))
            .collect(),
        Record::Contact(_) => people(run, records, now).await,
        Record::Conversation(_) => conversations(run, records, now).await,
        Record::Attachment(_) => attachments(run, records, now).await,
        Record::Message(_) => timeline(run, records, now).await,
        Record::ObjectRecord(_) => own_objects(run, records, now).await,
        Record::Article(_) => help_centre(run, records, now).await,
        Record::AgentStatistics(_) => {
            let around = statistics::around(run).await?;
            let row = |loaded: &'a Loaded| {
                let fields = statistics::fields(run, &around, loaded, now)?;
                Ok(one(loaded, statistics::OBJECT, fields))
            };
            records.iter().copied().map(row).collect()
        }
        _ => Ok(Vec::new()),
    }
}

fn one<'a>(loaded: &'a Loaded, object: &'static str, fields: Fields) -> Wanted<'a> {
    Wanted::Rows(vec![Expected {
        loaded,
        object,
        n: 0,
        fields,
        bytes: None,
        only: None,
    }])
}

async fn people<'a>(
    run: &Run<'_>,
    records: &[&'a Loaded],
    now: DateTime<Utc>,
) -> Result<Vec<Wanted<'a>>> {
    let accounts = contacts::accounts(run).await?;
    let is_lead = |loaded: &Loaded| {
        let row = run.prior(loaded, 0);
        row.is_some_and(|effect| effect.object == leads::OBJECT)
    };
    let companies = match records.iter().any(|loaded| is_lead(loaded)) {
        true => Some(leads::Companies::of(run).await?),
        false => None,
    };
    let mut wanted = Vec::new();
    for loaded in records.iter().copied() {
        let Record::Contact(contact) = &loaded.record else {
            continue;
        };
        if let Some(companies) = companies.as_ref().filter(|_| is_lead(loaded)) {
            wanted.push(match companies.name(contact) {
                Ok(company) => {
                    let fields = leads::fields(run, loaded, company, now)?;
                    one(loaded, leads::OBJECT, fields)
                }
                Err(verdict) => Wanted::Unbuildable(loaded, leads::OBJECT, verdict),
            });
            continue;
        }
        let account = match contacts::account_of(contact, &accounts) {
            Needed::Stands(id) => Some(id),
            Needed::None => None,
            Needed::Waits(verdict) => {
                wanted.push(Wanted::Unbuildable(loaded, contacts::OBJECT, verdict));
                continue;
            }
        };
        wanted.push(one(
            loaded,
            contacts::OBJECT,
            contacts::fields(run, loaded, account.as_deref(), now)?,
        ));
    }
    Ok(wanted)
}

async fn conversations<'a>(
    run: &Run<'_>,
    records: &[&'a Loaded],
    now: DateTime<Utc>,
) -> Result<Vec<Wanted<'a>>> {
    let mut links = cases::links(run).await?.into_iter();
    let mut wanted = Vec::new();
    // Links come for the whole batch, in its order; records are a part of it in the same order.
    let mut records = records.iter().copied().peekable();
    for loaded in &run.batch.records {
        let links = links.next();
        let Some(mine) = records.next_if(|r| r.id == loaded.id && r.part == loaded.part) else {
            continue;
        };
        match links {
            Some(Ok(links)) => wanted.push(one(
                mine,
                cases::OBJECT,
                cases::fields(run, mine, &links, now)?,
            )),
            Some(Err(verdict)) => wanted.push(Wanted::Unbuildable(mine, cases::OBJECT, verdict)),
            None => {}
        }
    }
    Ok(wanted)
}

async fn own_objects<'a>(
    run: &Run<'_>,
    records: &[&'a Loaded],
    now: DateTime<Utc>,
) -> Result<Vec<Wanted<'a>>> {
    let around = objects::around(run).await?;
    let mut wanted = Vec::new();
    for loaded in records.iter().copied() {
        let (object, fields) = match objects::as_sent(run, &around, loaded, now)? {
            Ok(row) => row,
            Err(verdict) => {
                wanted.push(Wanted::Unbuildable(loaded, objects::KIND, verdict));
                continue;
            }
        };
        let mut rows = vec![Expected {
            loaded,
            object,
            n: 0,
            fields,
            bytes: None,
            only: None,
        }];
        let own = run.standing(loaded, 0).unwrap_or_default();
        match objects::pair_rows(run, &around, loaded, own, now)? {
            Ok(pairs) => rows.extend(pairs.into_iter().map(|(n, object, fields)| Expected {
                loaded,
                object,
                n,
                fields,
                bytes: None,
                only: None,
            })),
            Err(verdict) => wanted.push(Wanted::Unbuildable(loaded, objects::KIND, verdict)),
        }
        wanted.push(Wanted::Rows(rows));
    }
    Ok(wanted)
}

/// The texts of articles, with what hangs on the main one and where each stands.
async fn help_centre<'a>(
    run: &Run<'_>,
    records: &[&'a Loaded],
    now: DateTime<Utc>,
) -> Result<Vec<Wanted<'a>>> {
    let around = articles::Around::of(run).await?;
    let (mut wanted, mut plans) = (Vec::new(), Vec::new());
    for loaded in records.iter().copied() {
        match articles::plan(run, &around, loaded, now)? {
            Ok(plan) => plans.push((loaded, plan)),
            Err(verdict) => {
                wanted.push(Wanted::Unbuildable(loaded, articles::OBJECT, verdict));
            }
        }
    }
    let Some(how) = run.mapping.articles() else {
        return Ok(wanted);
    };
    let texts = || {
        let plans = plans.iter();
        plans.flat_map(|(loaded, plan)| plan.texts.iter().map(move |text| (*loaded, plan, text)))
    };
    let links: Vec<Vec<articles::Link>> = texts()
        .map(|(_, plan, text)| articles::linked(how, plan.article, text.text))
        .collect();
    let addresses = articles::Addresses::of(run, links.iter().flatten()).await?;
    let id = |loaded: &Loaded, text: &articles::Text<'_>| run.standing(loaded, text.n);
    let with_links = texts().zip(&links).filter(|(_, links)| !links.is_empty());
    let ids: Vec<String> = with_links
        .filter_map(|((loaded, _, text), _)| id(loaded, text).map(str::to_owned))
        .collect();
    let finished = articles::finished(run, &ids).await?;
    let bodies: Vec<Option<String>> = texts()
        .zip(&links)
        .map(|((loaded, _, text), links)| {
            let until = id(loaded, text).and_then(|id| finished.get(id)).copied();
            let addresses = addresses.of_text(how, links, &text.language, until);
            articles::with_links(run, text, &addresses)
        })
        .collect::<Result<_>>()?;
    let body = articles::body(run.lines(articles::OBJECT)?).map(str::to_owned);
    let mut bodies = bodies.into_iter();
    for (loaded, plan) in plans {
        let main = &plan.texts[0].text.state;
        let stands = |text: &articles::Text<'_>| articles::status(main, &text.text.state);
        let mut rows = Vec::new();
        for text in &plan.texts {
            let mut fields = text.fields.clone();
            if let (Some(field), Some(Some(html))) = (&body, bodies.next()) {
                fields.insert(field.clone(), html.into());
            }
            fields.insert("PublishStatus".into(), stands(text).into());
            if text.n == 0 {
                fields.insert(articles::FILES.into(), plan.documents.clone().into());
                let names = plan
                    .categories
                    .iter()
                    .map(|(group, name)| format!("{group}.{name}"));
                fields.insert(
                    articles::CATEGORIES.into(),
                    names.collect::<Vec<_>>().into(),
                );
            }
            rows.push(Expected {
                loaded,
                object: articles::OBJECT,
                n: text.n,
                fields,
                bytes: None,
                only: None,
            });
        }
        wanted.push(Wanted::Rows(rows));
    }
    Ok(wanted)
}

async fn attachments<'a>(
    run: &Run<'_>,
    records: &[&'a Loaded],
    now: DateTime<Utc>,
) -> Result<Vec<Wanted<'a>>> {
    let cases = files::cases(run).await?;
    let mut wanted = Vec::new();
    for loaded in records.iter().copied() {
        let (case, blob) = match files::plan(run, loaded, &cases)? {
            FilePlan::Upload { case, blob, .. } => (case, blob),
            FilePlan::Verdict(verdict) => {
                wanted.push(Wanted::Unbuildable(loaded, files::OBJECT, verdict));
                continue;
            }
        };
        let key = file_key(&files::attachment(loaded)?.conversation, &blob.blake3);
        // A linked file carries the name of the attachment that brought it; its bytes are ours too.
        let linked = run
            .prior(loaded, 0)
            .is_some_and(|effect| effect.operation == Operation::Link);
        let fields = if linked {
            Fields::new()
        } else {
            files::fields(run, loaded, case.as_deref(), &key, now)?
        };
        let bytes = Some((blob.md5, blob.size));
        wanted.push(Wanted::Rows(vec![Expected {
            loaded,
            object: files::OBJECT,
            n: 0,
            fields,
            bytes,
            only: None,
        }]));
    }
    Ok(wanted)
}

async fn timeline<'a>(
    run: &Run<'_>,
    records: &[&'a Loaded],
    now: DateTime<Utc>,
) -> Result<Vec<Wanted<'a>>> {
    let around = Surroundings::of(run).await?;
    let mut wanted = Vec::new();
    for loaded in records.iter().copied() {
        let message = messages::message(loaded)?;
        let (object, rows) = match run.mapping.route(message) {
            Route::Mail => (mails::OBJECT, mail(run, &around, loaded, message, now)?),
            Route::Comment | Route::Post => {
                let object = match run.mapping.route(message) {
                    Route::Post => comments::POST,
                    _ => comments::OBJECT,
                };
                let rows = comment(run, &around, loaded, message, object, now)?;
                (object, rows)
            }
            route @ (Route::Row | Route::Task) => {
                let (object, row) = match route {
                    Route::Task => {
                        let row = calls::fields(run, &around, loaded, message, now)?;
                        (calls::OBJECT, row)
                    }
                    _ => {
                        let row = rows::fields(run, &around, loaded, message, now)?;
                        (rows::OBJECT, row)
                    }
                };
                wanted.push(match row {
                    Ok(fields) => one(loaded, object, fields),
                    Err(verdict) => Wanted::Unbuildable(loaded, object, verdict),
                });
                continue;
            }
        };
        wanted.push(rows.map_or_else(
            |verdict| Wanted::Unbuildable(loaded, object, verdict),
            Wanted::Rows,
        ));
    }
    Ok(wanted)
}

fn comment<'a>(
    run: &Run<'_>,
    around: &Surroundings,
    loaded: &'a Loaded,
    message: &Message,
    object: &'static str,
    now: DateTime<Utc>,
) -> Result<Result<Vec<Expected<'a>>, Verdict>> {
    let parts = comments::fields(run, around, message, object, now)?;
    let row = |(n, fields)| Expected {
        loaded,
        object,
        n,
        fields,
        bytes: None,
        only: None,
    };
    Ok(parts.map(|parts| (0..).zip(parts).map(row).collect()))
}

fn mail<'a>(
    run: &Run<'_>,
    around: &Surroundings,
    loaded: &'a Loaded,
    mail: &Message,
    now: DateTime<Utc>,
) -> Result<Result<Vec<Expected<'a>>, Verdict>> {
    let (case, files) = match (around.case(mail), around.files(mail)) {
        (Ok(case), Ok(files)) => (case, files),
        (Err(verdict), _) | (_, Err(verdict)) => return Ok(Err(verdict)),
    };
    let document = run.standing(loaded, mails::OVERFLOW_DOCUMENT);
    let fields = match mails::fields(run, around, loaded, mail, document, now)? {
        Ok(fields) => fields,
        Err(verdict) => return Ok(Err(verdict)),
    };
    let mut rows = vec![Expected {
        loaded,
        object: mails::OBJECT,
        n: 0,
        fields,
        bytes: None,
        only: None,
    }];
    if let Some(overflow) =
        mails::overflow(run, loaded, mail, &mails::bodies(run, mail, &files), &case)?
    {
        let bytes = overflow
            .content
            .map(|content| (content.md5().to_owned(), content.size()));
        rows.push(Expected {
            loaded,
            object: files::OBJECT,
            n: mails::OVERFLOW,
            fields: overflow.fields,
            bytes,
            only: None,
        });
    }
    Ok(Ok(rows))
}

/// Whether the bytes of an attachment are there to be compared.
pub(super) fn has_bytes(loaded: &Loaded) -> bool {
    !matches!(loaded.record, Record::Attachment(_))
        || matches!(loaded.file, Some(FileState::Staged(_)))
}
