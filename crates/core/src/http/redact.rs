//! What may be shown of addresses and answers.

use std::sync::Arc;

use url::Url;

use super::secret::SecretString;

const HIDDEN: &str = "***";

/// Pieces of a name that say that its value is a credential.
const TELLING: [&str; 9] = [
    "token",
    "session",
    "password",
    "passwd",
    "secret",
    "signature",
    "credential",
    "apikey",
    "assertion",
];

/// Whole words of a name that say so; as pieces they would also match harmless names (`assigned`, `author`).
const TELLING_WORDS: [&str; 7] = [
    "sig",
    "sid",
    "auth",
    "authorization",
    "otp",
    "cookie",
    "jwt",
];

/// Whether a parameter, header or JSON member of that name carries a credential.
pub(super) fn is_telling(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let squeezed: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    TELLING.iter().any(|piece| squeezed.contains(piece))
        || name
            .split(|c: char| !c.is_ascii_alphanumeric())
            .any(|word| TELLING_WORDS.contains(&word))
}

/// The address without user, password, fragment and telling values.
pub(super) fn url(url: &Url) -> String {
    let mut shown = url.clone();
    // Both fail only for addresses that cannot carry a user.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown.set_fragment(None);
    shown.set_query(None);
    let mut text = shown.to_string();
    for (i, (name, value)) in url.query_pairs().enumerate() {
        text.push(if i == 0 { '?' } else { '&' });
        text.push_str(&printable(&name));
        text.push('=');
        text.push_str(&if is_telling(&name) {
            HIDDEN.to_owned()
        } else {
            printable(&value)
        });
    }
    text
}

/// An address that may not be one: the part before the query, without a user.
pub(super) fn raw_url(text: &str) -> String {
    match Url::parse(text) {
        Ok(parsed) if matches!(parsed.scheme(), "http" | "https") => url(&parsed),
        _ => {
            let before = text.split(['?', '#']).next().unwrap_or_default();
            printable(before.rsplit('@').next().unwrap_or_default())
        }
    }
}

/// The same text in one line: controls become spaces.
pub(super) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// Removes the credentials of a request from what came back: some servers echo them.
#[derive(Clone, Default)]
pub(super) struct Scrubber(Arc<[SecretString]>);

impl Scrubber {
    /// Knows the secrets, and the part after a scheme word ("Bearer …") of each.
    pub(super) fn new<'a>(secrets: impl Iterator<Item = &'a SecretString>) -> Self {
        let mut all: Vec<String> = Vec::new();
        for secret in secrets {
            let text = secret.expose().trim();
            all.push(text.to_owned());
            if let Some((_, rest)) = text.split_once(' ') {
                all.push(rest.trim().to_owned());
            }
        }
        // Longest first, or a part would be cut out of the whole; very short ones would cut words apart.
        all.retain(|text| text.len() >= 4);
        all.sort_by_key(|text| std::cmp::Reverse(text.len()));
        Self(all.into_iter().map(SecretString::new).collect())
    }

    fn scrub(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| {
            text.replace(secret.expose(), HIDDEN)
        })
    }

    /// The beginning of a body, about `most` characters, in one line, without credentials.
    pub(super) fn snippet(&self, body: &[u8], most: usize) -> String {
        // Scrubbed before it is cut, or half a secret at the end would stay; the window bounds the work.
        let (window, cut) = match body.get(..most * 4 + 4096) {
            Some(window) => (window, true),
            None => (body, false),
        };
        let mut text = self.scrub(&String::from_utf8_lossy(window));
        if cut && let Some(last_word) = text.rfind(char::is_whitespace) {
            text.truncate(last_word);
        }
        let text = hide_values(&text);
        let line = printable(&text);
        let mut words = line.split_whitespace().collect::<Vec<_>>().join(" ");
        if words.chars().count() > most {
            words = words.chars().take(most).collect();
            words.push('…');
        }
        words
    }
}

/// Replaces the values of telling members in JSON (`"token":"x"`), forms (`token=x`) and tags (`<token>x</token>`).
fn hide_values(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_name_char) {
        let length = rest[start..]
            .find(|c| !is_name_char(c))
            .unwrap_or(rest.len() - start);
        let (name, after) = rest[start..].split_at(length);
        out.push_str(&rest[..start]);
        out.push_str(name);
        rest = after;
        if is_telling(name)
            && let Some((gap, value)) = value_after(after)
        {
            out.push_str(&after[..gap]);
            out.push_str(HIDDEN);
            rest = &after[gap + value..];
        }
    }
    out.push_str(rest);
    out
}

fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '-'
}

/// Where the value of a name starts and how long it is, both in bytes from the end of the name.
fn value_after(text: &str) -> Option<(usize, usize)> {
    let unquoted = text.trim_start_matches(['"', '\'', '\\']).trim_start();
    let separator = unquoted
        .chars()
        .next()
        .filter(|c| matches!(c, ':' | '=' | '>'))?;
    let value = unquoted[1..].trim_start();
    let quoted = value.trim_start_matches('\\');
    let (value, length) = match quoted.chars().next()? {
        quote @ ('"' | '\'') => {
            let inner = &quoted[1..];
            let nested = value.len() > quoted.len();
            (inner, closing(inner, quote, nested))
        }
        '{' | '[' => return None,
        _ if separator == '>' => (quoted, quoted.find('<').unwrap_or(quoted.len())),
        // An unquoted value may have a scheme word before it ("Authorization: Bearer x"): hide the line's rest.
        _ if separator == ':' => (
            quoted,
            quoted.find([',', '}', '\n', '\r']).unwrap_or(quoted.len()),
        ),
        _ => (
            quoted,
            quoted
                .find(['&', ' ', '\n', '\r', '"', '<', ';'])
                .unwrap_or(quoted.len()),
        ),
    };
    (length > 0).then(|| (text.len() - value.len(), length))
}

/// Where a quoted text ends. In JSON within JSON the closing quote is escaped, otherwise an escaped one is content.
fn closing(text: &str, quote: char, nested: bool) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if c == quote && (nested || !escaped) {
            return if nested && escaped { at - 1 } else { at };
        }
        escaped = c == '\\' && !escaped;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn telling_names_are_told_from_harmless_ones() {
        for name in [
            "token",
            "_session_id",
            "Access-Token",
            "sig",
            "X-Amz-Signature",
            "client_secret",
            "X-OTP",
            "auth",
        ] {
            assert!(is_telling(name), "{name}");
        }
        for name in [
            "assigned_agent",
            "author",
            "limit",
            "after_id",
            "signed_up_at",
            "sort",
        ] {
            assert!(!is_telling(name), "{name}");
        }
    }

    #[test]
    fn an_address_is_shown_without_user_fragment_and_telling_values() {
        let shown = url(&Url::parse(
            "https://ada:pw@h.example.org/a?limit=5&_session_id=s3cret&q=a%0Ab#frag",
        )
        .unwrap());
        assert_eq!(
            shown,
            "https://h.example.org/a?limit=5&_session_id=***&q=a b"
        );
    }

    #[test]
    fn what_is_no_address_loses_its_user_and_query_too() {
        assert_eq!(raw_url("ada:pw@h example?token=x"), "h example");
    }

    #[test]
    fn values_of_telling_members_are_hidden_in_json_forms_tags_and_headers() {
        let cases = [
            (
                r#"{"session_id":"abc","total":3}"#,
                r#"{"session_id":"***","total":3}"#,
            ),
            (r#"{"auth_token" : "abc"}"#, r#"{"auth_token" : "***"}"#),
            (
                r#"{"access_token":12345,"a":1}"#,
                r#"{"access_token":***,"a":1}"#,
            ),
            (r#"{"token":"a\"b","a":1}"#, r#"{"token":"***","a":1}"#),
            (
                r#"{"body":"{\"token\":\"abc\",\"a\":1}"}"#,
                r#"{"body":"{\"token\":\"***\",\"a\":1}"}"#,
            ),
            (
                r#"[{"message":"Session expired","errorCode":"INVALID_SESSION_ID","n":1}]"#,
                r#"[{"message":"Session expired","errorCode":"INVALID_SESSION_ID","n":1}]"#,
            ),
            (
                "grant=x&password=p%40ss&user=a",
                "grant=x&password=***&user=a",
            ),
            (
                "<sessionId>00Dabc</sessionId>",
                "<sessionId>***</sessionId>",
            ),
            (
                "Authorization: Bearer abc.def\nHost: h",
                "Authorization: *** Host: h",
            ),
            (r#"{"token":{"kind":"a"}}"#, r#"{"token":{"kind":"a"}}"#),
            ("assigned=7", "assigned=7"),
        ];
        for (given, shown) in cases {
            assert_eq!(
                Scrubber::default().snippet(given.as_bytes(), 200),
                shown,
                "{given}"
            );
        }
    }

    #[test]
    fn an_echoed_secret_is_hidden_with_and_without_its_scheme_word() {
        let secret = SecretString::new("Bearer abcdef123");
        let scrubber = Scrubber::new([&secret].into_iter());
        assert_eq!(
            scrubber.snippet(b"got Bearer abcdef123 and abcdef123.", 200),
            "got *** and ***."
        );
    }

    #[test]
    fn a_secret_across_the_cut_does_not_show_its_first_half() {
        let secret = SecretString::new("abcdefghijklmnop");
        let scrubber = Scrubber::new([&secret].into_iter());
        assert_eq!(
            scrubber.snippet(b"0123456 abcdefghijklmnop", 12),
            "0123456 ***"
        );
    }

    #[test]
    fn a_snippet_is_one_line_and_bounded() {
        let shown =
            Scrubber::default().snippet("a\u{0}\n<b>\u{1b}[31m ü".repeat(99).as_bytes(), 10);
        assert_eq!(shown.chars().count(), 11, "{shown}");
        assert!(!shown.chars().any(char::is_control), "{shown}");
    }

    proptest! {
        #[test]
        fn no_secret_survives_whatever_stands_around_it(
            before in "[ -~\n]{0,60}",
            secret in "[A-Za-z0-9+/=_.-]{6,24}",
            after in "[ -~\n]{0,60}",
            most in 1_usize..200,
        ) {
            let secret = SecretString::new(secret);
            let body = format!("{before}{}{after}", secret.expose());
            let shown = Scrubber::new([&secret].into_iter()).snippet(body.as_bytes(), most);
            prop_assert!(!shown.contains(secret.expose()), "{}", shown);
        }

        #[test]
        fn any_bytes_become_one_short_line(body in proptest::collection::vec(any::<u8>(), 0..600), most in 0_usize..300) {
            let shown = Scrubber::default().snippet(&body, most);
            prop_assert!(shown.chars().count() <= most + 1);
            prop_assert!(!shown.chars().any(char::is_control));
        }
    }
}
