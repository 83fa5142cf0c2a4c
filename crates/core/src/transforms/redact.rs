//! What people wrote, without addresses, numbers and cards.

use async_trait::async_trait;
use serde_json::Value;

use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{CustomValue, CustomValues, Meta, Record};
use crate::transform::{Transform, Transformed};

/// The longest shape of one's own, in characters.
const LONGEST: usize = 64;

/// Takes mail addresses, telephone numbers, card numbers and shapes of one's own out of what people wrote: subjects,
/// bodies, comments, values of custom fields. People and companies keep their own addresses and numbers, since others find them by
/// those: [`Exclude`](super::Exclude) leaves such fields out. Files are not looked into, nor are articles of a help centre.
///
/// ```
/// use deskferry_core::transforms::Redact;
///
/// let redact = Redact::parse("mails, phones, cards", "aa99 9999 9999")?;
/// let text = "Ann <ann@example.org>, +49 30 1234567, card 4111 1111 1111 1111, DE12 3456 7890.";
/// assert_eq!(redact.text(text), "Ann <[mail]>, [phone], card [card], [redacted].");
/// # Ok::<(), deskferry_core::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redact {
    mails: bool,
    phones: bool,
    cards: bool,
    /// `a` for a letter, `9` for a digit, anything else for itself.
    shapes: Vec<Vec<char>>,
}

impl Redact {
    /// Reads what is to be taken out: of `mails, phones, cards`, and shapes, both with commas between them. In a shape `a`
    /// stands for any letter, `9` for any digit, and everything else for itself.
    ///
    /// # Errors
    /// `Config` for a word that there is not, and for a shape that would take out everything.
    pub fn parse(words: &str, shapes: &str) -> Result<Self> {
        let mut redact = Self::default();
        for word in pieces(words) {
            match word {
                "mails" => redact.mails = true,
                "phones" => redact.phones = true,
                "cards" => redact.cards = true,
                other => {
                    return Err(refused(format!(
                        "`{other}` cannot be taken out; mails, phones and cards can"
                    )));
                }
            }
        }
        for shape in pieces(shapes) {
            let chars: Vec<char> = shape.chars().collect();
            let counted = chars.iter().filter(|c| matches!(c, 'a' | '9')).count();
            if counted < 4 || chars.len() > LONGEST {
                return Err(refused(format!(
                    "the shape `{shape}` needs at least four letters (a) or digits (9), and at most {LONGEST} characters"
                )));
            }
            redact.shapes.push(chars);
        }
        // The longest first: a short one may be part of it.
        redact
            .shapes
            .sort_by_key(|shape| std::cmp::Reverse(shape.len()));
        Ok(redact)
    }

    /// Whether nothing is taken out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// A plain text without it.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        let chars: Vec<char> = text.chars().collect();
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        while at < chars.len() {
            match self.found(&chars, at) {
                Some((end, word)) => {
                    out.push_str(word);
                    at = end;
                }
                None => {
                    out.push(chars[at]);
                    at += 1;
                }
            }
        }
        out
    }

    /// HTML without it: what stands between tags, and addresses that links write to. Other attributes stay, or images would
    /// be lost.
    #[must_use]
    pub fn html(&self, html: &str) -> String {
        let mut out = String::with_capacity(html.len());
        let mut rest = html;
        while let Some(begin) = rest.find('<') {
            out.push_str(&self.text(&rest[..begin]));
            let end = rest[begin..]
                .find('>')
                .map_or(rest.len(), |n| begin + n + 1);
            let tag = &rest[begin..end];
            let lower = tag.to_ascii_lowercase();
            if lower.contains("mailto:") || lower.contains("tel:") {
                out.push_str(&self.text(tag));
            } else {
                out.push_str(tag);
            }
            rest = &rest[end..];
        }
        out.push_str(&self.text(rest));
        out
    }

    /// What begins here and is to be taken out: its end, and what stands for it.
    fn found(&self, chars: &[char], at: usize) -> Option<(usize, &'static str)> {
        if self.mails
            && let Some(end) = mail(chars, at)
        {
            return Some((end, "[mail]"));
        }
        if at > 0 && (chars[at - 1].is_alphanumeric() || in_an_address(chars, at)) {
            return None;
        }
        for shape in &self.shapes {
            if let Some(end) = shaped(chars, at, shape) {
                return Some((end, "[redacted]"));
            }
        }
        if self.cards
            && let Some(end) = card(chars, at)
        {
            return Some((end, "[card]"));
        }
        if self.phones
            && let Some(end) = phone(chars, at)
        {
            return Some((end, "[phone]"));
        }
        None
    }

    fn in_place(&self, text: &mut String) {
        let redacted = self.text(text);
        if redacted != *text {
            *text = redacted;
        }
    }

    fn maybe(&self, text: &mut Option<String>) {
        if let Some(text) = text {
            self.in_place(text);
        }
    }

    fn json(&self, value: &mut Value) {
        match value {
            Value::String(text) => self.in_place(text),
            Value::Array(list) => list.iter_mut().for_each(|value| self.json(value)),
            Value::Object(fields) => fields.values_mut().for_each(|value| self.json(value)),
            _ => {}
        }
    }

    fn values(&self, values: &mut CustomValues) {
        for value in values.values_mut() {
            match value {
                CustomValue::Text(text) | CustomValue::Choice(text) => self.in_place(text),
                CustomValue::Choices(list) => list.iter_mut().for_each(|t| self.in_place(t)),
                CustomValue::Json(value) => self.json(value),
                // A card number may be kept as a number: then nothing of it is.
                CustomValue::Number(text) => {
                    let mut redacted = text.clone();
                    self.in_place(&mut redacted);
                    if redacted != *text {
                        *value = CustomValue::Text(redacted);
                    }
                }
                _ => {}
            }
        }
    }

    fn meta(&self, meta: &mut Meta) {
        self.values(&mut meta.custom);
        if let Some(raw) = &mut meta.raw {
            self.json(raw);
        }
    }

    /// The record without it.
    #[must_use]
    pub fn applied(&self, mut record: Record) -> Record {
        match &mut record {
            Record::Conversation(c) => {
                self.in_place(&mut c.subject);
                if let Some(satisfaction) = &mut c.satisfaction {
                    self.maybe(&mut satisfaction.comment);
                }
                self.meta(&mut c.meta);
            }
            Record::Message(m) => {
                self.maybe(&mut m.subject);
                self.maybe(&mut m.body.text);
                if let Some(html) = &mut m.body.html {
                    *html = self.html(html);
                }
                if let Some(email) = &mut m.email {
                    self.maybe(&mut email.raw);
                }
                if let Some(call) = &mut m.call {
                    self.maybe(&mut call.from);
                    self.maybe(&mut call.to);
                    self.maybe(&mut call.disposition);
                }
                self.meta(&mut m.meta);
            }
            Record::Account(account) => self.meta(&mut account.meta),
            Record::Contact(contact) => self.meta(&mut contact.meta),
            Record::ObjectRecord(own) => self.meta(&mut own.meta),
            Record::Attachment(file) => self.meta(&mut file.meta),
            _ => {}
        }
        record
    }
}

#[async_trait]
impl Transform for Redact {
    async fn apply(&self, _cx: &Context, batch: Vec<Record>) -> Result<Vec<Transformed>> {
        let kept = |record| Transformed::Keep(self.applied(record));
        Ok(batch.into_iter().map(kept).collect())
    }
}

fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|piece| !piece.is_empty())
}

fn refused(said: String) -> Error {
    Error::new(ErrorKind::Config, "take out what people wrote", said)
}

/// Whether the number that begins here is part of an address on the web, or of a name.
fn in_an_address(chars: &[char], at: usize) -> bool {
    matches!(chars[at - 1], '/' | '=' | '_' | '&' | '#' | '%')
}

fn is_local(c: char) -> bool {
    c.is_alphanumeric() || "._%+-'!#$&*/=?^`{|}~".contains(c)
}

/// The end of the mail address that begins here.
fn mail(chars: &[char], at: usize) -> Option<usize> {
    let before = at.checked_sub(1).map(|n| chars[n]);
    let begins = |c: char| c.is_alphanumeric() || "_+".contains(c);
    if !begins(chars[at]) || before.is_some_and(|c| c.is_alphanumeric() || "._%+-".contains(c)) {
        return None;
    }
    // The address of an image within its mail is none of a person.
    if at >= 4
        && chars[at - 4..at]
            .iter()
            .collect::<String>()
            .eq_ignore_ascii_case("cid:")
    {
        return None;
    }
    let length = chars[at..].iter().take(65).position(|c| !is_local(*c))?;
    let sign = at + length;
    if chars[sign] != '@' {
        return None;
    }
    let domain = &chars[sign + 1..];
    let in_domain = |c: &char| c.is_alphanumeric() || *c == '.' || *c == '-';
    let length = domain
        .iter()
        .position(|c| !in_domain(c))
        .unwrap_or(domain.len());
    let name: String = domain[..length].iter().collect();
    let name = name.trim_end_matches(['.', '-']);
    let (host, top) = name.rsplit_once('.')?;
    let top_is = top.chars().count() >= 2 && top.chars().any(char::is_alphabetic);
    (!host.is_empty() && top_is).then(|| sign + 1 + name.chars().count())
}

/// The digits that begin here, with separators between them, and where each ends.
fn digits(chars: &[char], at: usize, between: &str, most: usize) -> Vec<(u32, usize)> {
    let mut found: Vec<(u32, usize)> = Vec::new();
    let (mut n, mut gap) = (at, 0);
    while let Some(c) = chars.get(n) {
        match c.to_digit(10) {
            Some(digit) => {
                found.push((digit, n + 1));
                gap = 0;
            }
            None if between.contains(*c) && gap < most => gap += 1,
            None => break,
        }
        n += 1;
    }
    found
}

fn ends_here(chars: &[char], end: usize) -> bool {
    chars.get(end).is_none_or(|c| !c.is_alphanumeric())
}

/// 13 to 19 digits with the right last one (Luhn).
fn card(chars: &[char], at: usize) -> Option<usize> {
    chars[at].to_digit(10)?;
    let found = digits(chars, at, " -\u{a0}", 1);
    if !(13..=19).contains(&found.len()) {
        return None;
    }
    let end = found.last()?.1;
    let sum: u32 = found
        .iter()
        .rev()
        .enumerate()
        .map(|(n, (digit, _))| match n % 2 {
            0 => *digit,
            _ if digit * 2 > 9 => digit * 2 - 9,
            _ => digit * 2,
        })
        .sum();
    // All the same digit is right by the sum, and no card.
    let same = found.iter().all(|(digit, _)| *digit == found[0].0);
    (sum.is_multiple_of(10) && !same && ends_here(chars, end)).then_some(end)
}

/// Numbers with a plus, with a leading zero, and those of the form 555-123-4567.
fn phone(chars: &[char], at: usize) -> Option<usize> {
    let first = chars[at];
    if !(first.is_ascii_digit() || first == '+' || first == '(') {
        return None;
    }
    let begin = if first == '+' { at + 1 } else { at };
    let found = digits(chars, begin, " -./()\u{a0}", 3);
    let end = found.last()?.1;
    let count = found.len();
    let plus = first == '+' && found.first()?.1 <= begin + 2 && (8..=15).contains(&count);
    let zero = first != '+' && found.first()?.0 == 0 && (9..=15).contains(&count);
    let three = first != '+' && count == 10 && {
        let gap = |n: usize| found[n].1 - found[n - 1].1 > 1;
        (1..10).all(|n| gap(n) == (n == 3 || n == 6))
    };
    ((plus || zero || three) && ends_here(chars, end)).then_some(end)
}

fn shaped(chars: &[char], at: usize, shape: &[char]) -> Option<usize> {
    let end = at + shape.len();
    let text = chars.get(at..end)?;
    let fits = text.iter().zip(shape).all(|(c, wanted)| match wanted {
        'a' => c.is_alphabetic(),
        '9' => c.is_ascii_digit(),
        other => c == other,
    });
    (fits && ends_here(chars, end)).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Redact {
        Redact::parse("mails,phones,cards", "AB-9999-aa").unwrap()
    }

    #[test]
    fn addresses_numbers_and_cards_go_and_what_looks_like_them_stays() {
        for (text, redacted) in [
            ("write to Ann.Lee+x@mail.example.org.", "write to [mail]."),
            ("<jörg@bücher.example>", "<[mail]>"),
            (
                "src=cid:image001.png@01D7.example stays",
                "src=cid:image001.png@01D7.example stays",
            ),
            (
                "no address: a@b, @home, me @ home.de",
                "no address: a@b, @home, me @ home.de",
            ),
            ("+49 (0)30 / 123 45-67!", "[phone]!"),
            (
                "call 030 1234567 or 555-123-4567",
                "call [phone] or [phone]",
            ),
            ("(555) 123-4567", "[phone]"),
            (
                "on 2021-03-04 at 12:30:00, case 1234567, 10.000.000 EUR",
                "on 2021-03-04 at 12:30:00, case 1234567, 10.000.000 EUR",
            ),
            (
                "https://example.org/t/0301234567?n=0301234567",
                "https://example.org/t/0301234567?n=0301234567",
            ),
            (
                "card 4111-1111-1111-1111, order 4111111111111112",
                "card [card], order 4111111111111112",
            ),
            ("5500005555555559", "[card]"),
            ("4111 1111 1111 1111 1", "4111 1111 1111 1111 1"),
            ("0000000000000000", "0000000000000000"),
            (
                "AB-1234-xy AB-1234-xyz XAB-1234-xy",
                "[redacted] AB-1234-xyz XAB-1234-xy",
            ),
            ("日本 ann@example.jp です", "日本 [mail] です"),
        ] {
            assert_eq!(all().text(text), redacted);
        }
    }

    #[test]
    fn markup_stays_whole() {
        let html = r#"<p class="x">Ann: <a href="mailto:ann@example.org">ann@example.org</a> <img src="cid:a@b.example"> 4111 1111 1111 1111</p>"#;
        assert_eq!(
            all().html(html),
            r#"<p class="x">Ann: <a href="mailto:[mail]">[mail]</a> <img src="cid:a@b.example"> [card]</p>"#
        );
        assert_eq!(all().html("<b"), "<b");
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (words, shapes) in [("mails, names", ""), ("", "a9"), ("", "----")] {
            let error = Redact::parse(words, shapes).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
        }
        assert!(Redact::parse("", " , ").unwrap().is_empty());
    }

    proptest::proptest! {
        #[test]
        fn any_text_comes_through(text in "\\PC*", html in "[<>a-z@. 0-9+&;\"=]*") {
            let redact = all();
            let mailed = format!("{text} ann@example.org");
            proptest::prop_assert!(!redact.text(&mailed).contains("ann@example.org"));
            let _ = redact.html(&html);
        }
    }
}
