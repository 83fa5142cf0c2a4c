//! Bodies of mails: as a tree, as text, and as a file where they are too long.

use super::files::{Shown, add_body, md5, unavailable};
use super::html::{text, tree};
use super::mails::Mails;
use super::want::{Row, Sheet, Want, field};
use super::words::{clean, encoded, letters};
use super::{Ground, html};
use crate::world::{Conversation, Message};

/// What a body may hold, in characters once encoded.
const LARGEST_BODY: usize = 131_072;

/// How sure it is that a body is too long.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Over {
    No,
    /// Too long only by the most cautious way of counting.
    Perhaps,
    Yes,
}

fn over(body: &str) -> Over {
    // Every way of counting makes five of an ampersand.
    let least = body.chars().count() + 4 * body.matches('&').count();
    match () {
        () if least > LARGEST_BODY && !body.contains('<')
            || body.chars().count() > LARGEST_BODY =>
        {
            Over::Yes
        }
        () if encoded(body) > LARGEST_BODY => Over::Perhaps,
        () => Over::No,
    }
}

pub(super) fn compare(
    ground: &Ground<'_>,
    conversation: &Conversation,
    message: &Message,
    row: &Row,
    id: &str,
    mails: &mut Mails<'_>,
    sheet: &mut Sheet,
) {
    let html_body = message
        .html
        .as_deref()
        .filter(|body| !clean(body).is_empty());
    let text_body = message
        .text
        .as_deref()
        .filter(|body| !clean(body).is_empty());
    let html_over = html_body.map_or(Over::No, over);
    let text_over = text_body.map_or(Over::No, over);
    let stands_whole = match html_body {
        Some(_) => !field(row, "HtmlBody").is_empty(),
        None => text_body.is_some_and(|body| clean(body) == field(row, "TextBody")),
    };
    let is_file = html_over == Over::Yes
        || text_over == Over::Yes
        || ((html_over == Over::Perhaps || text_over == Over::Perhaps) && !stands_whole);
    if !is_file {
        sheet.set(
            "HtmlBody",
            html_body.map_or(Want::Nothing, |body| {
                same_tree(conversation, message, body, row, mails.shown)
            }),
        );
        sheet.set(
            "TextBody",
            match (text_body, html_body) {
                (Some(body), _) => Want::Text(clean(body)),
                (None, Some(body)) => derived(body),
                (None, None) => Want::Nothing,
            },
        );
        return;
    }
    let (ending, body) = html_body.map_or(("txt", text_body.unwrap_or("")), |body| ("html", body));
    let key = add_body(
        ground,
        conversation,
        mails.files,
        message.id,
        ending,
        body,
        message.sent,
    );
    if let Some(kept) = mails.files.get_mut(&key) {
        kept.on.insert(id.to_owned());
    }
    sheet.set("HtmlBody", Want::Nothing);
    sheet.set(
        "TextBody",
        beginning(
            &format!("message-{}.{ending}", ground.id("message", message.id)),
            &text_body.map_or_else(|| html::text(body, true), clean),
        ),
    );
}

/// The same page, pictures named by what they show.
fn same_tree(
    conversation: &Conversation,
    message: &Message,
    body: &str,
    row: &Row,
    shown: &Shown,
) -> Want {
    let wanted = tree(&clean(body), &|address| {
        pictured(conversation, message, address)
    });
    let found = tree(field(row, "HtmlBody"), &|address| shown.address(address));
    if wanted == found {
        return Want::Something;
    }
    // The first place at which they part says more than two whole pages.
    let parts = wanted
        .char_indices()
        .zip(found.chars())
        .find(|((_, a), b)| a != b)
        .map_or(wanted.len().min(found.len()), |((at, _), _)| at);
    let around = |text: &str| {
        text.chars()
            .skip(wanted[..parts].chars().count().saturating_sub(60))
            .take(160)
            .collect::<String>()
    };
    Want::test(
        format!(
            "the same tree; they part at …{}… where there is …{}…",
            around(&wanted),
            around(&found)
        ),
        |_| false,
    )
}

/// What an address in a body of the world shows.
fn pictured(conversation: &Conversation, message: &Message, address: &str) -> String {
    if let Some(token) = address.strip_prefix("media:") {
        let all = conversation
            .messages
            .iter()
            .flat_map(|message| &message.images);
        let image = all
            .into_iter()
            .find(|image| image.token == token && !image.lost);
        return image.map_or_else(
            || address.to_owned(),
            |image| format!("shows {}", md5(&image.content.bytes())),
        );
    }
    let scheme = address
        .get(..4)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("cid:"));
    let id = scheme.then(|| {
        percent_encoding::percent_decode_str(&address[4..])
            .decode_utf8_lossy()
            .into_owned()
    });
    let named = |file: &&crate::world::File| {
        file.content_id.is_some() && file.content_id == id && unavailable(file).is_none()
    };
    match message.files.iter().find(named) {
        Some(file) => format!("shows {}", md5(&file.content.bytes())),
        None => address.to_owned(),
    }
}

/// The text that the platform takes out of the HTML by itself.
fn derived(body: &str) -> Want {
    let wanted = letters(&text(&clean(body), false));
    Want::test(format!("the text of the HTML: {wanted}"), move |found| {
        let found = letters(found);
        found == wanted || (found.chars().count() > 100_000 && wanted.starts_with(&found))
    })
}

/// The beginning of a text, as much as fits, and a last line that names the file with the rest.
fn beginning(file: &str, whole: &str) -> Want {
    /// Even if each character costs six, so many fit.
    const AT_LEAST: usize = LARGEST_BODY / 6 - 1_000;
    let (file, whole) = (file.to_owned(), letters(whole));
    Want::test(
        format!("a text that ends in a line with {file}: {whole}"),
        move |found| {
            let (text, last) = found.rsplit_once('\n').unwrap_or(("", found));
            let text = letters(text);
            let fits = text.chars().count() >= whole.chars().count().min(letters_in(AT_LEAST));
            last.contains(&file) && whole.starts_with(&text) && fits
        },
    )
}

/// A cautious share of letters in so many characters.
fn letters_in(characters: usize) -> usize {
    characters / 3
}
