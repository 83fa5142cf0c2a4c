//! What can be told from outside: keys of the section `[kustomer]`, and variables.

use deskferry_core::settings::{Holds, Section, Setting};

/// The settings of [`KustomerConfig`](crate::KustomerConfig), by the names that it has with serde.
pub static SETTINGS: Section = Section::new(
    "kustomer",
    "KUSTOMER",
    &[
        Setting::new(
            "url",
            Holds::Text,
            "",
            "the org: its name (`acme`), `acme.kustomerapp.com`, or a region's address",
        ),
        Setting::new(
            "key",
            Holds::Secret,
            "",
            "an API key with roles that read; it belongs to the region that made it",
        ),
        Setting::new(
            "rate",
            Holds::NumberOr {
                least: 1,
                most: u32::MAX as u64,
                word: "told",
            },
            "told",
            "requests a minute, or `told`: what the answers' headers allow, but for the share that is kept free",
        ),
        Setting::new(
            "keep_free",
            Holds::Percent,
            "50",
            "the share of that limit that is left to the people who work there",
        ),
        Setting::new(
            "search_rate",
            Holds::Number {
                least: 1,
                most: u32::MAX as u64,
            },
            "97",
            "searches a minute; Kustomer allows an API key 100",
        ),
        Setting::new(
            "parallel",
            Holds::Number {
                least: 1,
                most: 1_000,
            },
            "4",
            "how many parts are read at once",
        ),
        Setting::new(
            "mail_bodies",
            Holds::OneOf(&["always", "long", "never"]),
            "always",
            "whether the record behind a mail is read for its whole text and HTML, for one request more: `always`, only for `long` mails whose preview is cut, or `never`",
        ),
        Setting::new(
            "messages",
            Holds::OneOf(&["cheapest", "search", "conversation"]),
            "cheapest",
            "how what was said is read: by `search` for many conversations at once, `conversation` by conversation, or what is `cheapest` under both limits",
        ),
        Setting::new(
            "deleted",
            Holds::OneOf(&["include", "skip"]),
            "skip",
            "conversations that were deleted, as far as search still shows them: `include`, or `skip` each by name; what was said in them is gone either way",
        ),
        Setting::new(
            "spam",
            Holds::OneOf(&["include", "skip"]),
            "skip",
            "conversations that are marked as spam: `include` or `skip`",
        ),
        Setting::new(
            "customer_kind",
            Holds::Text,
            "",
            "the custom attribute of customers that says what sort of person they are, such as `customerTypeStr`",
        ),
        Setting::new(
            "exports",
            Holds::Path,
            "",
            "a folder of data exports (`.csv`) and archived events (`.jsonl`, `.ndjson`, also `.gz`), read beside the API",
        ),
        Setting::new(
            "keep_raw",
            Holds::Switch,
            "false",
            "whether each record keeps the JSON that it was made from",
        ),
        Setting::new(
            "allow_private_hosts",
            Holds::Switch,
            "false",
            "whether links to files and redirects of other hosts may lead to this machine or the local network",
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
    ],
);
