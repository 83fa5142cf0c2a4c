//! What can be told from outside: keys of the section `[asapp]`, and variables.

use deskferry_core::settings::{Holds, Section, Setting};

/// The settings of [`AsappConfig`](crate::AsappConfig), by the names that it has with serde.
pub static SETTINGS: Section = Section::new(
    "asapp",
    "ASAPP",
    &[
        Setting::new(
            "company",
            Holds::Text,
            "",
            "the company's short name, as it stands in `company_name` of its rows",
        ),
        Setting::new(
            "tree",
            Holds::Path,
            "",
            "the folder that mirrors the messaging product's batch files",
        ),
        Setting::new(
            "s3_bucket",
            Holds::Text,
            "",
            "the bucket of S3 that holds the batch files",
        ),
        Setting::new(
            "s3_prefix",
            Holds::Text,
            "",
            "the folder in it right below which the feeds lie",
        ),
        Setting::new("s3_region", Holds::Text, "us-east-1", "its region"),
        Setting::new(
            "s3_endpoint",
            Holds::Text,
            "",
            "the address of a service that speaks like S3; Amazon's own where there is none",
        ),
        Setting::new(
            "s3_access_key",
            Holds::Text,
            "",
            "the id of the read-only pair of keys that ASAPP gave",
        ),
        Setting::new(
            "s3_secret_key",
            Holds::Secret,
            "",
            "the secret of that pair",
        ),
        Setting::new(
            "sftp_host",
            Holds::Text,
            "",
            "the SFTP server that has the batch files, such as prod-data-sftp.asapp.com",
        ),
        Setting::new(
            "sftp_port",
            Holds::Number {
                least: 1,
                most: 65_535,
            },
            "22",
            "its port",
        ),
        Setting::new(
            "sftp_user",
            Holds::Text,
            "",
            "the user there, `sftp` and the company's name",
        ),
        Setting::new(
            "sftp_key",
            Holds::Path,
            "",
            "the file with the private key whose public half ASAPP has",
        ),
        Setting::new(
            "sftp_key_passphrase",
            Holds::Secret,
            "",
            "what opens that key, where it is locked",
        ),
        Setting::new(
            "sftp_host_key",
            Holds::Text,
            "",
            "the server's own key: SHA256 fingerprints or lines of `ssh-keyscan`, separated by commas",
        ),
        Setting::new(
            "sftp_folder",
            Holds::Text,
            "",
            "the folder there right below which the feeds lie; where one lands after the login, if nothing is set",
        ),
        Setting::new(
            "exported",
            Holds::Path,
            "",
            "a folder of files of the File Exporter, for AI services",
        ),
        Setting::new(
            "events",
            Holds::Path,
            "",
            "a folder of archived real-time events, one body a line",
        ),
        Setting::new(
            "url",
            Holds::Text,
            "https://api.asapp.com",
            "the address of the API",
        ),
        Setting::new(
            "api_id",
            Holds::Text,
            "",
            "the id of a key of the Developer Portal, with which the API is asked",
        ),
        Setting::new("api_secret", Holds::Secret, "", "the secret of that key"),
        Setting::new(
            "file_exporter",
            Holds::Switch,
            "true",
            "whether the File Exporter is asked with that key",
        ),
        Setting::new(
            "configuration_api",
            Holds::Switch,
            "true",
            "whether the Configuration API is asked with that key: segments, structured-data fields, redaction, vocabularies",
        ),
        Setting::new(
            "conversation_api",
            Holds::OneOf(&["missing", "all", "no"]),
            "missing",
            "which conversations of AI services the Conversation API is asked about, two requests each: those that lack texts, all, or none",
        ),
        Setting::new(
            "autosummary",
            Holds::Text,
            "",
            "what the AutoSummary API is to make for conversations that have none, a request each: of `summary`, `structured-data`, `intent`, separated by commas. Each call makes something new at ASAPP",
        ),
        Setting::new(
            "requests_per_second",
            Holds::Number {
                least: 1,
                most: 100,
            },
            "50",
            "requests a second; spike arrest is at 100",
        ),
        Setting::new(
            "requests_per_day",
            Holds::Number {
                least: 1,
                most: u64::MAX,
            },
            "50000",
            "requests a day (UTC) that the work folder may see, over all processes; the read ends there and can be resumed",
        ),
        Setting::new(
            "allow_private_hosts",
            Holds::Switch,
            "false",
            "whether links to files may lead to this machine or the local network",
        ),
        Setting::new(
            "allow_plain_http",
            Holds::Switch,
            "false",
            "whether plain http may be spoken to other machines than this one",
        ),
        Setting::new(
            "work",
            Holds::Path,
            "asapp-work",
            "the folder in which the reduced exports are kept; it belongs to one migration",
        ),
        Setting::new(
            "customers",
            Holds::Path,
            "",
            "a table (.csv, .jsonl) of customers' names and addresses by `customer_id` or `external_user_id`: ASAPP has none",
        ),
        Setting::new(
            "agents",
            Holds::Path,
            "",
            "a table of agents' addresses by `rep_id`, `external_rep_id`, `crm_rep_id` or `agent_id`",
        ),
        Setting::new(
            "recordings",
            Holds::Path,
            "",
            "a table of recordings' addresses by `issue_id` or `conversation_id`",
        ),
        Setting::new(
            "segments",
            Holds::Path,
            "",
            "a file with the Configuration API's answer to `/configuration/v1/segments`, where it is not asked itself",
        ),
        Setting::new(
            "segment_priority",
            Holds::Text,
            "",
            "ids of segments, separated by commas; the first that matches counts",
        ),
        Setting::new(
            "param_name",
            Holds::Text,
            "",
            "the key of `customer_params` that holds a customer's name",
        ),
        Setting::new(
            "param_email",
            Holds::Text,
            "",
            "the key that holds a customer's mail address",
        ),
        Setting::new(
            "param_phone",
            Holds::Text,
            "",
            "the key that holds a customer's telephone number",
        ),
        Setting::new(
            "param_company",
            Holds::Text,
            "",
            "the key that holds a customer's company",
        ),
        Setting::new(
            "placeholder_accounts",
            Holds::Switch,
            "true",
            "whether customers without a company get a flagged one by the domain of their address; never by free mail",
        ),
        Setting::new(
            "parallel",
            Holds::Number { least: 1, most: 64 },
            "2",
            "how many chunks of files are reduced at once",
        ),
        Setting::new(
            "memory",
            Holds::Number {
                least: 16,
                most: 1 << 20,
            },
            "256",
            "mebibytes of memory that reducing may take",
        ),
        Setting::new(
            "chunk_files",
            Holds::Number {
                least: 1,
                most: 100_000,
            },
            "4096",
            "the most files that are reduced in one step, beside 256 MiB; a read that was stopped goes on behind the last whole step",
        ),
        Setting::new(
            "broken_share",
            Holds::Percent,
            "1",
            "the share of lines that may be broken before the read ends",
        ),
        Setting::new(
            "quiet_days",
            Holds::Number {
                least: 0,
                most: 36_500,
            },
            "7",
            "after so many quiet days a conversation of AI services is over",
        ),
    ],
);
