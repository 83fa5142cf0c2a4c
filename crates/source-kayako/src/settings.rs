//! What can be told from outside: keys of the section `[kayako]`, and variables.

use deskferry_core::settings::{Holds, Section, Setting};

/// The settings of [`KayakoConfig`](crate::KayakoConfig), by the names that it has with serde.
pub static SETTINGS: Section = Section::new(
    "kayako",
    "KAYAKO",
    &[
        Setting::new(
            "url",
            Holds::Text,
            "",
            "the instance: its name (`acme`), its address, or a domain of your own",
        ),
        Setting::new(
            "email",
            Holds::Text,
            "",
            "the e-mail address of an administrator's account without one-time passwords",
        ),
        Setting::new(
            "password",
            Holds::Secret,
            "",
            "the password of that account",
        ),
        Setting::new(
            "access_token",
            Holds::Secret,
            "",
            "instead of the account: an OAuth access token. Alone it ends when it expires",
        ),
        Setting::new(
            "client_id",
            Holds::Text,
            "",
            "the id of an OAuth client, with `client_secret` and `refresh_token`",
        ),
        Setting::new(
            "client_secret",
            Holds::Secret,
            "",
            "the secret of that client",
        ),
        Setting::new(
            "refresh_token",
            Holds::Secret,
            "",
            "what gives access tokens as they are needed",
        ),
        Setting::new(
            "refresh_token_store",
            Holds::Path,
            "",
            "a file that keeps the refresh token: each use may bring a new one and end the old. What stands there counts before `refresh_token`",
        ),
        Setting::new(
            "rate",
            Holds::NumberOr {
                least: 1,
                most: u32::MAX as u64,
                word: "adaptive",
            },
            "adaptive",
            "requests a minute, or `adaptive`: begin with 60 and find the limit out",
        ),
        Setting::new(
            "parallel",
            Holds::Number {
                least: 1,
                most: 1_000,
            },
            "4",
            "how many lists of posts are read at once",
        ),
        Setting::new(
            "email_headers",
            Holds::Switch,
            "false",
            "whether the original headers of each mail are read: its threading, for one request more per mail",
        ),
        Setting::new(
            "keep_raw",
            Holds::Switch,
            "false",
            "whether each record keeps the JSON that it was made from",
        ),
        Setting::new(
            "trashed",
            Holds::OneOf(&["include", "skip"]),
            "skip",
            "cases in the trash: `include` them, or `skip` each by name",
        ),
        Setting::new(
            "suspended",
            Holds::OneOf(&["include", "skip"]),
            "skip",
            "cases held back as spam: `include` or `skip`",
        ),
        Setting::new(
            "merged",
            Holds::OneOf(&["include", "skip"]),
            "include",
            "cases that were merged into another one: `include` or `skip`",
        ),
        Setting::new(
            "activities",
            Holds::OneOf(&["include", "skip"]),
            "skip",
            "the history of each case as internal messages, for one request more per case: `include` or `skip`",
        ),
        Setting::new(
            "ratings",
            Holds::OneOf(&["include", "skip"]),
            "skip",
            "words and time of ratings, for one request more per rated case: `include` or `skip`. The rating itself always comes",
        ),
        Setting::new(
            "time_tracking",
            Holds::OneOf(&["include", "skip"]),
            "skip",
            "booked times, summed up on their cases, for a request per hundred entries: `include` or `skip`",
        ),
        Setting::new(
            "person_notes",
            Holds::OneOf(&["include", "skip"]),
            "skip",
            "notes on people and organisations, kept with them, for one request more per customer and organisation: `include` or `skip`",
        ),
        Setting::new(
            "sweep",
            Holds::Switch,
            "false",
            "whether a delta asks what is gone: cases for a request per hundred, customers, organisations and articles that no list shows any more",
        ),
        Setting::new(
            "allow_private_hosts",
            Holds::Switch,
            "false",
            "whether files and redirects of other hosts may lead to this machine or the local network",
        ),
        Setting::new(
            "allow_plain_http",
            Holds::Switch,
            "false",
            "whether plain http may be spoken to other machines than this one",
        ),
        Setting::new(
            "root_certificate",
            Holds::Contents,
            "",
            "a certificate authority to trust beside those of the system (PEM)",
        ),
        Setting::new(
            "edition",
            Holds::OneOf(&["auto", "cloud", "classic"]),
            "auto",
            "which Kayako: `cloud`, `classic`, or `auto`: Classic where a REST key is given, and no account",
        ),
        Setting::new(
            "api_key",
            Holds::Secret,
            "",
            "Classic: the key of its REST interface (Admin Control Panel, REST API)",
        ),
        Setting::new(
            "secret_key",
            Holds::Secret,
            "",
            "Classic: the secret that belongs to that key; it signs each call and is never sent",
        ),
        Setting::new(
            "instance",
            Holds::Text,
            "",
            "Classic: the name under which the helpdesk's records are known for ever; without it the address as it stands in `url`",
        ),
        Setting::new(
            "dates",
            Holds::OneOf(&["auto", "month-first", "day-first", "year-first"]),
            "auto",
            "Classic: how days are written in custom fields; with `auto` a day that can be read in two ways stays text",
        ),
        Setting::new(
            "language",
            Holds::Text,
            "en-us",
            "Classic: the language of its knowledge base, which has one",
        ),
    ],
);
