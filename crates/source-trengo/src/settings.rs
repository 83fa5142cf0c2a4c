//! What can be told from outside: keys of the section `[trengo]`, and variables.

use deskferry_core::settings::{Holds, Section, Setting};

/// The settings of [`TrengoConfig`](crate::TrengoConfig), by the names that it has with serde.
pub static SETTINGS: Section = Section::new(
    "trengo",
    "TRENGO",
    &[
        Setting::new(
            "token",
            Holds::Secret,
            "",
            "a personal access token of an administrator who is in every team and channel (Settings > Apps & Integrations > REST API)",
        ),
        Setting::new(
            "url",
            Holds::Text,
            "https://app.trengo.com",
            "the host of the API",
        ),
        Setting::new(
            "workspace",
            Holds::Text,
            "",
            "the name of the workspace in keys, only needed where users carry no number of it; must never change",
        ),
        Setting::new(
            "time_zone",
            Holds::Text,
            "Europe/Amsterdam",
            "the clock on which times without a zone were read",
        ),
        Setting::new(
            "rate",
            Holds::NumberOr {
                least: 1,
                most: u32::MAX as u64,
                word: "told",
            },
            "told",
            "requests a minute, or `told`: as many as the answers say, 120 to begin with",
        ),
        Setting::new(
            "keep_free",
            Holds::Percent,
            "1",
            "the share of the limit that is left to others who use the same token, at most 90",
        ),
        Setting::new(
            "parallel",
            Holds::Number {
                least: 1,
                most: 1_000,
            },
            "4",
            "how many tickets are read at once",
        ),
        Setting::new(
            "profiles",
            Holds::OneOf(&["person", "company", "ignore"]),
            "person",
            "what a profile is: a `person` with several contacts, a `company`, or nothing (`ignore`)",
        ),
        Setting::new(
            "spam",
            Holds::OneOf(&["include", "skip"]),
            "skip",
            "tickets that were marked as spam: `include` them, or `skip` each by name",
        ),
        Setting::new(
            "events",
            Holds::OneOf(&["include", "skip"]),
            "skip",
            "audits and system lines among the messages: `include` as internal ones, or `skip`",
        ),
        Setting::new(
            "full_mail",
            Holds::Switch,
            "true",
            "whether mails that lists show shortened are read in full, for one request more each",
        ),
        Setting::new(
            "contact_details",
            Holds::Switch,
            "false",
            "whether groups and notes of contacts are read, for one request more each",
        ),
        Setting::new(
            "completeness",
            Holds::Switch,
            "true",
            "whether the reporting interface is asked at the end which tickets there are",
        ),
        Setting::new(
            "satisfaction",
            Holds::Path,
            "",
            "a table of survey answers that was exported from Trengo (CSV with a column of tickets and one of scores)",
        ),
        Setting::new(
            "report_months",
            Holds::Number {
                least: 0,
                most: 600,
            },
            "12",
            "for how many months figures of agents and of the workspace are asked, for two requests each",
        ),
        Setting::new(
            "ticket_figures",
            Holds::OneOf(&["include", "skip"]),
            "skip",
            "what the reporting interface says of each ticket: `include` it as a table beside the cases, or `skip`",
        ),
        Setting::new(
            "sweep",
            Holds::Switch,
            "false",
            "whether a delta asks which tickets are gone, for a request per hundred tickets",
        ),
        Setting::new(
            "webhooks",
            Holds::Path,
            "",
            "an archive of received webhooks, one a line: a delta then reads the tickets that it names, and lists nothing",
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
    ],
);
