//! Moves a Kayako Classic helpdesk (versions 3 and 4) into a Salesforce org.
//!
//! ```text
//! cargo run --example kayako_classic_to_salesforce                     rehearse: a local Kayako Classic, a local org, a made-up world
//! cargo run --example kayako_classic_to_salesforce -- --mail-dir DIR   the same with real mails
//! cargo run --example kayako_classic_to_salesforce -- resume --workspace DIR
//! cargo run --example kayako_classic_to_salesforce -- status --workspace DIR
//! cargo run --example kayako_classic_to_salesforce -- verify --workspace DIR
//! ```
//!
//! With `KAYAKO_URL`, `KAYAKO_API_KEY` and `KAYAKO_SECRET_KEY` it reads a real helpdesk, as `kayako_to_salesforce` does with the same
//! variables; with `SALESFORCE_URL` and `SALESFORCE_CLIENT_ID`, `SALESFORCE_CLIENT_SECRET` (or a certificate, or
//! `SALESFORCE_ACCESS_TOKEN`) it loads a real org. The README lists every variable.

use std::process::ExitCode;

use deskferry::cli::{self, App};

fn main() -> ExitCode {
    App::new(cli::kayako_classic(), cli::salesforce()).main()
}
