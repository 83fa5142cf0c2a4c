//! What a full read takes, found out beforehand: lists are measured by asking whether a page is there, and what tickets
//! take by a few pages and tickets that are drawn from all of them.

use std::collections::{BTreeMap, BTreeSet};

use deskferry_core::report::{Estimate, EstimateStep, Span};
use deskferry_core::{Context, ErrorKind, RecordKey, RecordKind, Result};
use serde_json::Value;

use super::Trengo;
use super::inventory::{ASKED_ONCE, is_closed};
use super::setup::Setup;
use super::tickets::STATES;
use crate::client::{List, MESSAGES, PAGE};
use crate::config::{Profiles, Take};
use crate::convert::{self, Joined, Outline, Place};
use crate::wire::{Envelope, Row};

/// Pages of tickets that are drawn: a tenth, within these.
const PAGES: (u64, u64) = (12, 100);
/// Tickets whose messages are drawn: one of five, within these.
const TALKS: (u64, u64) = (60, 400);
/// Of so many drawn tickets one has its mails read in full, for the pictures in them.
const IN_FULL: usize = 4;
/// A list is longer than anybody's when so many pages are there.
const LONGEST: u64 = 1 << 40;

/// How long a list is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Length {
    pages: u64,
    rows: u64,
}

/// A list of which any page can be asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Counted<'a> {
    List(List),
    Tickets(Option<&'static str>),
    Articles(u64, &'a str),
}

/// What the drawn tickets of one type of channel told.
#[derive(Debug, Clone, Copy, Default)]
struct Drawn {
    /// Messages that the lists of tickets count.
    counted: f64,
    /// How often it was drawn; what follows is added up over all draws, as shares of a message.
    draws: f64,
    mails: f64,
    files: f64,
    bytes: f64,
    /// Files as lists tell them and as mails in full do, of the same tickets.
    shown: f64,
    whole: f64,
}

/// What the drawn rows told.
#[derive(Debug, Default)]
struct Sample {
    rows: f64,
    /// Tickets that have to be asked for alone.
    alone: f64,
    /// Pages of messages.
    pages: f64,
    spam: f64,
    by_channel: BTreeMap<String, Drawn>,
    talks: u64,
}

impl Trengo {
    /// See [`Source::estimate`](deskferry_core::Source::estimate).
    pub(super) async fn foretell(&self, cx: &Context) -> Result<Estimate> {
        let setup = self.setup(cx).await?;
        let mut steps = Steps::new(self.client.per_second());
        steps.add("setup", setup.records(), setup.pages());
        self.people(cx, &mut steps).await?;
        let tickets = self.length(cx, Counted::Tickets(None)).await?;
        let spam = self.length(cx, Counted::Tickets(Some(STATES[0]))).await?;
        let sample = self.sample(cx, &setup, tickets).await?;
        self.tickets_step(&mut steps, tickets, spam, &sample);
        if self.config.completeness() {
            let all = tickets.rows + spam.rows;
            let pages = match self.client.reported(cx, 0).await {
                Ok(rows) if !rows.is_empty() => all.div_ceil(rows.len() as u64) + 1,
                Ok(_) => 1,
                Err(error) if is_beyond(error.kind()) => 1,
                Err(error) => return Err(error),
            };
            steps.add("completeness", all, pages);
        }
        self.knowledge_step(cx, &mut steps).await?;
        let months = u64::from(self.config.report_months());
        let agents = setup.agents().div_ceil(PAGE).max(1) as u64;
        if months > 0 {
            steps.add("reports", 0, months * (agents + 1));
        }
        let mut estimate = steps.estimate;
        let beside = &mut estimate.assumptions;
        beside.push(format!(
            "{} requests a minute, as the answers tell or the configuration says; files come from hosts that this does not count",
            (self.client.per_second() * 60.0).round()
        ));
        beside.push(format!(
            "what tickets take, by {} that were drawn and the messages of {} of them",
            sample.rows, sample.talks
        ));
        beside.push("nothing changes meanwhile, and no answer is lost".to_owned());
        Ok(estimate)
    }

    /// One page of a list.
    async fn look(&self, cx: &Context, list: Counted<'_>, page: u64) -> Result<Envelope> {
        let listed = match list {
            Counted::List(list) => self.client.page(cx, list, page).await?,
            Counted::Tickets(state) => {
                let filter = state.map(|state| ("status", state));
                self.client.tickets(cx, page, filter).await?
            }
            Counted::Articles(centre, locale) => {
                self.client.articles(cx, centre, locale, page).await?
            }
        };
        Ok(listed.page)
    }

    /// How long a list is: as it tells, else by doubling and halving (Trengo reference, section 1.4).
    async fn length(&self, cx: &Context, list: Counted<'_>) -> Result<Length> {
        let first = self.look(cx, list, 1).await?;
        let size = first.rows.len() as u64;
        if !first.more {
            return Ok(Length {
                pages: 1,
                rows: size,
            });
        }
        if let Some(rows) = first.total {
            let pages = first.last_page.unwrap_or(rows.div_ceil(size.max(1)));
            return Ok(Length { pages, rows });
        }
        let full = |pages: u64, last: u64| Length {
            pages,
            rows: (pages - 1) * size + last,
        };
        self.last_page(cx, list, 1)
            .await
            .map(|(pages, last)| full(pages, last.unwrap_or(size)))
    }

    /// The last page of a list that goes on after `known`, and how many rows it has, where it was seen.
    pub(super) async fn last_page(
        &self,
        cx: &Context,
        list: Counted<'_>,
        known: u64,
    ) -> Result<(u64, Option<u64>)> {
        // Between one that goes on and one that is not there.
        let (mut there, mut beyond) = (known, None);
        loop {
            let next = match beyond {
                None if there > LONGEST => return Ok((there, None)),
                None => there * 2,
                Some(beyond) if beyond - there <= 1 => return Ok((there, None)),
                Some(beyond) => there + (beyond - there) / 2,
            };
            let page = self.look(cx, list, next).await?;
            match (page.rows.is_empty(), page.more) {
                (true, _) => beyond = Some(next),
                (false, true) => there = next,
                (false, false) => return Ok((next, Some(page.rows.len() as u64))),
            }
        }
    }

    async fn people(&self, cx: &Context, steps: &mut Steps) -> Result<()> {
        let contacts = self.length(cx, Counted::List(List::Contacts)).await?;
        let (mut records, mut requests) = (contacts.rows, contacts.pages);
        if self.config.contact_details() {
            requests += contacts.rows;
        }
        if self.config.profiles() != Profiles::Ignore {
            let list = Counted::List(List::Profiles);
            match self.length(cx, list).await {
                Ok(profiles) => {
                    let first = self.look(cx, list, 1).await?;
                    let poor = first.rows.iter().any(|row| !Row(row).has("contacts"));
                    records += profiles.rows;
                    requests += profiles.pages + if poor { profiles.rows } else { 0 };
                }
                Err(error) if is_closed(error.kind()) => requests += 1,
                Err(error) => return Err(error),
            }
        }
        steps.add("people", records, requests);
        Ok(())
    }

    /// Rows of pages from the whole length of the list, and messages of tickets from all of these.
    async fn sample(&self, cx: &Context, setup: &Setup, tickets: Length) -> Result<Sample> {
        let pages = drawn(tickets.pages, (tickets.pages / 10).clamp(PAGES.0, PAGES.1));
        let mut rows: BTreeMap<u64, Value> = BTreeMap::new();
        for page in pages {
            let page = self.look(cx, Counted::Tickets(None), page + 1).await?;
            let known = |row: Value| Some((Outline::of(&setup.ground, Row(&row)).ok()?.id, row));
            rows.extend(page.rows.into_iter().filter_map(known));
        }
        let rows: Vec<Value> = rows.into_values().collect();
        let mut sample = Sample::default();
        let mut wanted = Vec::new();
        for row in &rows {
            sample.rows += 1.0;
            let one = Row(row);
            if self.leaves_out(one) {
                sample.spam += 1.0;
                continue;
            }
            if convert::asks_for_detail(&setup.ground, one).is_some() {
                sample.alone += 1.0;
            }
            let count = count_of(one) as f64;
            sample.pages += (count / MESSAGES as f64).ceil().max(1.0);
            let channel = sample.by_channel.entry(kind(setup, one)).or_default();
            channel.counted += count;
            wanted.push((one, count_of(one)));
        }
        let most = (tickets.rows / 5).clamp(TALKS.0, TALKS.1);
        for (place, (row, times)) in by_messages(setup, wanted, most).into_iter().enumerate() {
            let in_full = place.is_multiple_of(IN_FULL);
            self.draw(cx, setup, row, (times, in_full), &mut sample)
                .await?;
        }
        Ok(sample)
    }

    /// Spam that is not read.
    fn leaves_out(&self, row: Row<'_>) -> bool {
        let status = row.text("status").unwrap_or_default();
        self.config.spam() == Take::Skip && status.eq_ignore_ascii_case(STATES[0])
    }

    /// Looks at the newest messages of a ticket, which stands for so many draws; at its mails in full by choice.
    async fn draw(
        &self,
        cx: &Context,
        setup: &Setup,
        row: Row<'_>,
        (times, in_full): (f64, bool),
        sample: &mut Sample,
    ) -> Result<()> {
        let ground = &setup.ground;
        let Ok(outline) = Outline::of(ground, row) else {
            return Ok(());
        };
        let key = ground.key(RecordKind::Conversation, outline.id);
        let Some(page) = self.client.messages(cx, outline.id, 1, key.clone()).await? else {
            return Ok(());
        };
        let channel = convert::channel(ground, row, None);
        let joined = Joined::default();
        let place = Place {
            ground,
            joined: &joined,
            profiles: Profiles::Ignore,
            ticket: outline.id,
            conversation: key,
            channel: &channel,
            contact: row.object("contact"),
        };
        let (mut shown, mut whole) = (Files::default(), Files::default());
        let mut mails = 0.0;
        for message in page.rows.iter().map(Row) {
            let collapsed = message
                .object("email_message")
                .is_some_and(|mail| mail.flag("collapsed") == Some(true));
            let full = match (collapsed && self.config.full_mail(), message.id()) {
                (true, Ok(id)) => {
                    mails += 1.0;
                    let about = ground.key(RecordKind::Message, id);
                    match in_full {
                        true => self.client.mail(cx, outline.id, id, about).await?,
                        false => None,
                    }
                }
                _ => None,
            };
            shown.see(&place, message, None);
            whole.see(&place, message, full.as_ref().map(Row));
        }
        if page.rows.is_empty() {
            return Ok(());
        }
        sample.talks += 1;
        // Drawn by messages, each ticket tells what one of its messages brings.
        let each = times / page.rows.len() as f64;
        let drawn = sample.by_channel.entry(kind(setup, row)).or_default();
        drawn.draws += times;
        drawn.mails += mails * each;
        drawn.files += shown.keys.len() as f64 * each;
        drawn.bytes += shown.bytes as f64 * each;
        if in_full {
            drawn.shown += shown.keys.len() as f64 * each;
            drawn.whole += whole.keys.len() as f64 * each;
        }
        Ok(())
    }

    fn tickets_step(&self, steps: &mut Steps, tickets: Length, spam: Length, sample: &Sample) {
        // Each page of a list, spam once more by name, a look at the other states, and at what changed meanwhile.
        let lists = tickets.pages + spam.pages + STATES.len() as u64;
        let (mut mails, mut files, mut bytes) = (0.0, 0.0, 0.0);
        for channel in sample.by_channel.values() {
            let (each_mail, each_file, each_byte) = channel.of_a_message();
            mails += channel.counted * each_mail;
            files += channel.counted * each_file;
            bytes += channel.counted * each_byte;
        }
        // The list may leave spam out or not; either way it is read once, if at all.
        let in_list = sample.spam > 0.0;
        let apart = match self.config.spam() {
            Take::Include if !in_list => spam.rows,
            _ => 0,
        };
        let times = (tickets.rows + apart) as f64 / sample.rows.max(1.0);
        let all = |of: f64| (of * times).round() as u64;
        steps.add(
            "tickets",
            tickets.rows + spam.rows,
            lists + all(sample.alone),
        );
        let counted: f64 = sample.by_channel.values().map(|c| c.counted).sum();
        steps.add("messages", all(counted), all(sample.pages));
        steps.add("mails in full", all(mails), all(mails));
        steps.beside("files", all(files), all(bytes));
    }

    async fn knowledge_step(&self, cx: &Context, steps: &mut Steps) -> Result<()> {
        let centres = self.centres(cx).await?;
        let (mut articles, mut requests) = (0, 1);
        for centre in &centres.all {
            let mut most = 0;
            for locale in &centre.locales {
                let list = Counted::Articles(centre.id, locale);
                let length = self.length(cx, list).await?;
                requests += length.pages + 1;
                most = most.max(length.rows);
            }
            articles += most;
            requests += most * centre.locales.len() as u64;
        }
        steps.add("help centres", articles, requests);
        steps.add("inventory", 0, ASKED_ONCE + centres.all.len() as u64);
        Ok(())
    }
}

impl Drawn {
    /// What a message brings: mails in full, files, their bytes.
    fn of_a_message(&self) -> (f64, f64, f64) {
        if self.draws == 0.0 {
            return (0.0, 0.0, 0.0);
        }
        let more = match self.shown > 0.0 {
            true => self.whole / self.shown,
            false => 1.0,
        };
        let each = |of: f64| of / self.draws;
        (each(self.mails), each(self.files) * more, each(self.bytes))
    }
}

/// Files of a ticket, each once.
#[derive(Debug, Default)]
struct Files {
    keys: BTreeSet<RecordKey>,
    bytes: u64,
}

impl Files {
    fn see(&mut self, place: &Place<'_>, message: Row<'_>, full: Option<Row<'_>>) {
        let zone = place.ground.zone;
        let sent = message.time("created_at", zone).ok().flatten();
        let sent = sent.map_or_else(chrono::DateTime::default, crate::wire::Moment::plain);
        let Ok(made) = convert::message(place, message, sent, full) else {
            return;
        };
        // What is empty is not asked for.
        let files = made.attachments.into_iter().filter(|f| f.size != Some(0));
        for file in files {
            let size = file.size.unwrap_or(0);
            if self.keys.insert(file.meta.key) {
                self.bytes += size;
            }
        }
    }
}

/// How many messages a list says that a ticket has.
fn count_of(row: Row<'_>) -> u64 {
    let count = row.number("messages_count").unwrap_or(1);
    u64::try_from(count).unwrap_or(0)
}

/// Draws tickets by their messages: one with twenty is twenty times as likely as one with one, since it brings more.
/// Gives each with how often it was drawn; every type of channel has its share.
fn by_messages<'a>(
    setup: &Setup,
    mut wanted: Vec<(Row<'a>, u64)>,
    most: u64,
) -> Vec<(Row<'a>, f64)> {
    wanted.sort_by_cached_key(|(row, count)| (kind(setup, *row), *count));
    let mut points = drawn(wanted.iter().map(|(_, count)| count).sum(), most).into_iter();
    let mut point = points.next();
    let (mut end, mut chosen) = (0, Vec::new());
    for (row, count) in wanted {
        end += count;
        let mut times = 0.0;
        while point.is_some_and(|at| at < end) {
            times += 1.0;
            point = points.next();
        }
        if times > 0.0 {
            chosen.push((row, times));
        }
    }
    chosen
}

/// The type of a ticket's channel.
fn kind(setup: &Setup, row: Row<'_>) -> String {
    convert::channel(&setup.ground, row, None).kind
}

pub(super) fn is_beyond(kind: ErrorKind) -> bool {
    is_closed(kind) || kind == ErrorKind::Decode
}

/// Adds up.
struct Steps {
    estimate: Estimate,
    per_second: f64,
}

impl Steps {
    fn new(per_second: f64) -> Self {
        Self {
            estimate: Estimate::of(crate::PLATFORM),
            per_second,
        }
    }

    fn add(&mut self, name: &str, records: u64, requests: u64) {
        let mut step = EstimateStep::new(name, records, 0, Span::new(requests, requests));
        let seconds = (requests as f64 / self.per_second).ceil() as u64;
        step.seconds = Span::new(seconds, seconds);
        self.estimate.steps.push(step);
    }

    /// What goes on beside the rest.
    fn beside(&mut self, name: &str, files: u64, bytes: u64) {
        let step = EstimateStep::new(name, files, 0, Span::new(files, files));
        self.estimate.steps.push(step);
        self.estimate.file_bytes += bytes;
    }
}

/// `some` of the numbers below `all`, spread over them: one of each equal part, at a place in it that looks like chance and
/// is the same every time. A regular step would see the same again and again in a list that has a rhythm.
fn drawn(all: u64, some: u64) -> Vec<u64> {
    if some >= all {
        return (0..all).collect();
    }
    let part = all as f64 / some as f64;
    (0..some)
        .map(|place| {
            let hash = blake3::hash(&place.to_le_bytes());
            let mut head = [0; 4];
            head.copy_from_slice(&hash.as_bytes()[..4]);
            let chance = f64::from(u32::from_le_bytes(head)) / f64::from(u32::MAX);
            (((place as f64 + chance) * part) as u64).min(all - 1)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_is_spread_over_all_and_the_same_every_time() {
        assert_eq!(drawn(3, 12), [0, 1, 2]);
        assert_eq!(drawn(0, 12), Vec::<u64>::new());
        let some = drawn(1_000, 100);
        assert_eq!(some, drawn(1_000, 100));
        assert_eq!(some.len(), 100);
        for (place, number) in (0..).zip(&some) {
            assert!((place * 10..=place * 10 + 10).contains(number), "{number}");
        }
        let rhythm: BTreeSet<u64> = some.iter().map(|number| number % 10).collect();
        assert!(rhythm.len() > 5, "{rhythm:?}");
    }
}
